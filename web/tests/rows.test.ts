import assert from "node:assert/strict";
import { test } from "node:test";
import { fits, ordered } from "../src/pure/rows";
import { troubles } from "../src/pure/signs";

const same = (text: string): string => text;

test("numbers go largest first, and turned the other way", () => {
  assert.deepEqual(ordered(["2", "10", "-1"], same, "number", false), ["10", "2", "-1"]);
  assert.deepEqual(ordered(["2", "10", "-1"], same, "number", true), ["-1", "2", "10"]);
});

test("texts go from A to Z with their numbers in order, and empty ones stay last", () => {
  assert.deepEqual(ordered(["web-10", "", "web-2", "api"], same, "text", false), ["api", "web-2", "web-10", ""]);
  assert.deepEqual(ordered(["web-10", "", "web-2", "api"], same, "text", true), ["web-10", "web-2", "api", ""]);
});

test("rows that are alike keep their order", () => {
  const rows = [["a", "1"], ["b", "1"], ["c", "2"]];
  assert.deepEqual(ordered(rows, (row) => row[1] ?? "", "number", false).map(([name]) => name), ["c", "a", "b"]);
});

test("a filter wants all of its words, in any order and case", () => {
  assert.ok(fits("nginx.service Web server", "SERVER nginx"));
  assert.ok(!fits("nginx.service", "nginx postgres"));
  assert.ok(fits("anything", ""));
});

test("what needs somebody is told, fine and unknown kinds are not", () => {
  const sign = (bad: number, old = false) => ({ total: 5, bad, old });
  assert.deepEqual(troubles({}), []);
  assert.deepEqual(troubles({ containers: sign(0), custom: sign(2) }), []);
  assert.deepEqual(
    troubles({ disks: sign(1), units: sign(2, true), containers: sign(1) }).map(({ words }) => words),
    ["1 container bad", "2 units failed (old)", "1 disk failing"],
  );
});
