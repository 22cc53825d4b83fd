import assert from "node:assert/strict";
import { test } from "node:test";
import { toCsv } from "../src/pure/csv";
import { isolated } from "../src/pure/isolated";
import { pieces, spread } from "../src/pure/polyline";
import { makeLine } from "../src/pure/series";
import { stack } from "../src/pure/stack";

test("a stack adds up from the bottom", () =>
  assert.deepEqual(stack([1, 2], [[1, 2], [10, 20], [100, 200]], 30), [[1, 2], [11, 22], [111, 222]]));

test("a row in which nothing is known stays a gap", () =>
  assert.deepEqual(stack([1, 2, 3], [[1, null, 1], [2, undefined, 2]], 30), [[1, null, 1], [3, null, 3]]));

test("a value that is merely not there holds for a while, then counts as nothing", () =>
  assert.deepEqual(stack([0, 20, 40], [[1, 1, 1], [5, undefined, undefined]], 30), [[1, 1, 1], [6, 6, 1]]));

test("only samples that no line reaches get a dot", () => {
  assert.deepEqual(isolated([1, null, 2, 3, null, 4, null]), [0, 5]);
  assert.deepEqual(isolated([null, 7]), [1]);
  assert.deepEqual(isolated([null, undefined, 7, undefined, null]), [2]);
  assert.equal(isolated([1, undefined, 2]), null);
  assert.equal(isolated([]), null);
});

test("a sparkline breaks at a missing value and stays inside its box", () => {
  assert.deepEqual(pieces(spread([0, 1, null, 0.5, 2]), 100, 20, 1), ["0.0,20.0 25.0,0.0", "75.0,10.0 100.0,0.0"]);
  assert.deepEqual(pieces(spread([null, null]), 100, 20, 1), []);
});

test("an hour of which only the end is known is not drawn as a whole one", () =>
  assert.deepEqual(pieces([{ at: 0.9, value: 0 }, { at: 1, value: 1 }], 100, 20, 1), ["90.0,20.0 100.0,0.0"]));

const columns = { time: [0, 10], min: [1, null], avg: [2, null], max: [3, null], count: [2, 0] };

test("a table has one row a time, and nothing where nothing is known", () =>
  assert.equal(
    toCsv([makeLine("m", {}, columns)], ["busy"], "1", true),
    "time,busy avg [1],busy min [1],busy max [1]\r\n1970-01-01T00:00:00.000Z,2,1,3\r\n1970-01-01T00:00:10.000Z,,,\r\n",
  ));

test("a name from a host is neither a formula nor a new cell", () =>
  assert.match(toCsv([makeLine("m", {}, columns)], ['=cmd("x"),y'], "By", false), /^time,"'=cmd\(""x""\),y \[By\]"\r\n/));
