import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFigure, formatSpan, tickDistances, tickLabels } from "../src/pure/units";

const FIGURES: [number | null | undefined, string, string][] = [
  [0, "1", "0 %"],
  [0.0421, "1", "4.2 %"],
  [0.0996, "1", "10 %"],
  [0.425, "1", "43 %"],
  [1, "1", "100 %"],
  [1.5, "1", "150 %"],
  [0, "By", "0 B"],
  [1023, "By", "1023 B"],
  [1024, "By", "1 KiB"],
  [1536, "By", "1.5 KiB"],
  [16 * 2 ** 30, "By", "16 GiB"],
  [1_048_575, "By", "1 MiB"],
  [3.2 * 2 ** 20, "By/s", "3.2 MiB/s"],
  [-2048, "By", "-2 KiB"],
  [0, "s", "0 s"],
  [0.00035, "s", "350 µs"],
  [0.0123, "s", "12.3 ms"],
  [90, "s", "1.5 min"],
  [1_035_000, "s", "12 d"],
  [1234, "{packet}/s", "1.23 k/s"],
  [7, "{thread}", "7"],
  [0.97, "{thread}", "0.97"],
  [-0.0001, "{thread}", "0"],
];

for (const [value, unit, words] of FIGURES)
  test(`${value} in ${unit} is ${words}`, () => assert.equal(formatFigure(value, unit), words));

for (const missing of [null, undefined, Number.NaN, Infinity])
  test(`${missing} is unknown, never 0`, () => assert.equal(formatFigure(missing, "1"), "unknown"));

test("a span is never shown in a unit of which it is less than one", () => {
  assert.equal(formatSpan(59.9), "59.9 s");
  assert.equal(formatSpan(60), "1 min");
});

test("ticks of bytes stand on powers of two", () => {
  assert.ok(tickDistances("By").every((distance) => Number.isInteger(Math.log2(distance))));
  assert.ok(tickDistances("1").includes(0.2));
});

test("tick labels have the digits that tell neighbours apart", () => {
  assert.deepEqual(tickLabels([0, 0.2, 0.4], "1"), ["0 %", "20 %", "40 %"]);
  assert.deepEqual(tickLabels([0, 0.005, 0.01], "1"), ["0.0 %", "0.5 %", "1.0 %"]);
  assert.deepEqual(tickLabels([0, 2048, 4096], "By"), ["0", "2 KiB", "4 KiB"]);
  assert.deepEqual(tickLabels([0], "1"), ["0 %"]);
});
