import assert from "node:assert/strict";
import { test } from "node:test";
import { align, append, busiest, hasSpread, type Line, makeLine, summarise, trim, type Value } from "../src/pure/series";

const GAP_AFTER = 30;

function line(rows: [number, Value][], metric = "m"): Line {
  const values = rows.map(([, value]) => value);
  const time = rows.map(([one]) => one);
  return makeLine(metric, {}, { time, min: [...values], avg: [...values], max: [...values], count: values.map((v) => (v === null ? 0 : 1)) });
}

test("a live sample becomes a row of its own once the bucket is full", () => {
  const one = line([[100, 1]]);
  assert.equal(append(one, 101, 2, 1, GAP_AFTER), true);
  assert.deepEqual(one.time, [100, 101]);
  assert.deepEqual(one.avg, [1, 2]);
});

test("samples inside the bucket merge into its mean and extremes", () => {
  const one = line([[100, 1]]);
  for (const [time, value] of [[101, 4], [102, 1]] as const) append(one, time, value, 10, GAP_AFTER);
  assert.deepEqual([one.time, one.min, one.avg, one.max, one.count], [[100], [1], [2], [4], [3]]);
  append(one, 110, 9, 10, GAP_AFTER);
  assert.deepEqual(one.time, [100, 110]);
});

test("a missing value does not spoil a bucket and is a gap on its own", () => {
  const one = line([[100, 1]]);
  assert.equal(append(one, 102, null, 10, GAP_AFTER), false);
  assert.deepEqual(one.avg, [1]);
  append(one, 120, null, 10, GAP_AFTER);
  assert.deepEqual([one.avg, one.count], [[1, null], [1, 0]]);
});

test("a value into a bucket that had none starts it", () => {
  const one = line([[100, null]]);
  append(one, 101, 5, 10, GAP_AFTER);
  assert.deepEqual([one.min, one.avg, one.max], [[5], [5], [5]]);
});

test("the same sample twice, or an older one, counts once", () => {
  const one = line([[100, 1]]);
  append(one, 101, 2, 1, GAP_AFTER);
  assert.equal(append(one, 101, 2, 1, GAP_AFTER), false);
  assert.equal(append(one, 99, 7, 1, GAP_AFTER), false);
  assert.deepEqual(one.avg, [1, 2]);
});

test("missing time becomes a gap, also when the next bucket is wide", () => {
  for (const step of [1, 600]) {
    const one = line([[100, 1]]);
    append(one, 131, 2, step, GAP_AFTER);
    assert.deepEqual([one.time, one.avg], [[100, 115.5, 131], [1, null, 2]]);
  }
});

test("a bucket that goes on getting samples is no gap", () => {
  const one = line([[100, 1]]);
  for (let time = 101; time < 700; time++) append(one, time, 1, 600, GAP_AFTER);
  assert.deepEqual([one.time, one.count], [[100, 640], [540, 60]]);
});

test("trimming keeps the row from which the line enters the picture", () => {
  const one = line([[1, 1], [2, 2], [3, 3], [4, 4]]);
  trim(one, 3);
  assert.deepEqual([one.time, one.avg, one.count], [[2, 3, 4], [2, 3, 4], [1, 1, 1]]);
});

test("lines with the same times share them", () => {
  const one = line([[1, 1], [2, 2]]);
  const aligned = align([one, line([[1, 3], [2, null]])]);
  assert.equal(aligned.time, one.time);
  assert.deepEqual(aligned.avg, [[1, 2], [3, null]]);
});

test("a line without a row at a time is undefined there, which is not a gap", () => {
  const aligned = align([line([[1, 1], [3, null]]), line([[2, 5], [3, 6]])]);
  assert.deepEqual(aligned.time, [1, 2, 3]);
  assert.deepEqual(aligned.avg, [[1, undefined, null], [undefined, 5, 6]]);
});

test("no lines align to nothing", () => assert.deepEqual(align([]).time, []));

test("a mean weighs buckets by their samples and looks only inside the range", () => {
  const one = line([[0, 100], [10, 1], [20, 4], [30, null]]);
  one.count = [1, 3, 1, 0];
  one.max = [100, 2, 8, null];
  assert.deepEqual(summarise(one, 5, 40), { mean: 7 / 4, max: 8, last: 4 });
  assert.deepEqual(summarise(one, 50, 60), { mean: null, max: null, last: null });
});

test("the busiest lines come first, silent ones last", () => {
  const [low, high, silent] = [line([[1, 1]], "low"), line([[1, 9]], "high"), line([[1, null]], "silent")];
  assert.deepEqual(busiest([silent, low, high], 2, 0, 2).map(({ metric }) => metric), ["high", "low"]);
});

test("raw rows have no spread", () => {
  const one = line([[1, 1], [2, null]]);
  assert.equal(hasSpread(one), false);
  one.max[0] = 2;
  assert.equal(hasSpread(one), true);
});
