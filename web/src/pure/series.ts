// Holds the samples of one series as columns, and joins what the store answered with what arrives live.
import type { Labels } from "./labels";

export type Value = number | null;

/** What the API calls a series: a row is a bucket, and a row without a value is a gap. */
export interface Columns {
  time: number[];
  min: Value[];
  avg: Value[];
  max: Value[];
  count: number[];
}

export interface Line extends Columns {
  readonly metric: string;
  readonly labels: Labels;
  /** Time of the newest sample inside, so that one that comes twice counts once. */
  newest: number;
}

export function makeLine(metric: string, labels: Labels, columns?: Columns): Line {
  const { time, min, avg, max, count } = columns ?? { time: [], min: [], avg: [], max: [], count: [] };
  return { metric, labels, time, min, avg, max, count, newest: time.at(-1) ?? -Infinity };
}

/**
 * Adds a live sample: into the last bucket while that is younger than `step`, else as a row of its own,
 * with a gap before it when more than `gapAfter` seconds are missing. Says whether anything changed.
 */
export function append(line: Line, time: number, value: Value, step: number, gapAfter: number): boolean {
  if (time <= line.newest) return false;
  const last = line.time.length - 1;
  const start = line.time[last];
  if (start !== undefined && time - line.newest > gapAfter) push(line, (line.newest + time) / 2, null);
  else if (start !== undefined && time - start < step * 0.9) {
    line.newest = time;
    return value !== null && merge(line, last, value);
  }
  line.newest = time;
  push(line, time, value);
  return true;
}

function push(line: Line, time: number, value: Value): void {
  line.time.push(time);
  line.min.push(value);
  line.avg.push(value);
  line.max.push(value);
  line.count.push(value === null ? 0 : 1);
}

function merge(line: Line, row: number, value: number): boolean {
  const count = line.count[row] ?? 0;
  line.count[row] = count + 1;
  line.min[row] = Math.min(line.min[row] ?? value, value);
  line.max[row] = Math.max(line.max[row] ?? value, value);
  line.avg[row] = ((line.avg[row] ?? 0) * count + value) / (count + 1);
  return true;
}

/** Forgets rows before `from`, except the last of them: its line enters the picture from the left. */
export function trim(line: Line, from: number): void {
  const inside = line.time.findIndex((time) => time >= from);
  const drop = (inside === -1 ? line.time.length : inside) - 1;
  if (drop < 1) return;
  for (const column of [line.time, line.min, line.avg, line.max, line.count] as unknown[][]) column.splice(0, drop);
}

export interface Aligned {
  time: number[];
  /** Per line; `undefined` where that line has no row, which unlike `null` is not a gap. */
  min: (Value | undefined)[][];
  avg: (Value | undefined)[][];
  max: (Value | undefined)[][];
}

/** All lines over the union of their times. */
export function align(lines: readonly Line[]): Aligned {
  const first = lines[0];
  if (first && lines.every((line) => sameTimes(line.time, first.time)))
    return {
      time: first.time,
      min: lines.map((line) => line.min),
      avg: lines.map((line) => line.avg),
      max: lines.map((line) => line.max),
    };
  const time = [...new Set(lines.flatMap((line) => line.time))].sort((a, b) => a - b);
  const at = new Map(time.map((one, row) => [one, row]));
  const spread = (line: Line, column: Value[]): (Value | undefined)[] => {
    const out = new Array<Value | undefined>(time.length).fill(undefined);
    line.time.forEach((one, row) => (out[at.get(one) ?? 0] = column[row]));
    return out;
  };
  return {
    time,
    min: lines.map((line) => spread(line, line.min)),
    avg: lines.map((line) => spread(line, line.avg)),
    max: lines.map((line) => spread(line, line.max)),
  };
}

function sameTimes(one: readonly number[], other: readonly number[]): boolean {
  return one === other || (one.length === other.length && one.every((time, row) => time === other[row]));
}

/** The mean and the extremes inside [from, to], weighted by how many samples a bucket holds. */
export function summarise(line: Line, from: number, to: number): { mean: Value; max: Value; last: Value } {
  let sum = 0;
  let count = 0;
  let max: Value = null;
  let last: Value = null;
  for (const [row, time] of line.time.entries()) {
    const value = line.avg[row] ?? null;
    if (time < from || time > to || value === null) continue;
    const weight = line.count[row] ?? 1;
    sum += value * weight;
    count += weight;
    max = Math.max(max ?? -Infinity, line.max[row] ?? value);
    last = value;
  }
  return { mean: count ? sum / count : null, max, last };
}

/** The `most` lines with the largest mean, largest first. */
export function busiest(lines: readonly Line[], most: number, from: number, to: number): Line[] {
  const mean = new Map(lines.map((line) => [line, summarise(line, from, to).mean ?? -1]));
  return [...lines].sort((a, b) => (mean.get(b) ?? -1) - (mean.get(a) ?? -1)).slice(0, most);
}

/** True when some bucket holds values that differ, so that a band around the mean says something. */
export function hasSpread(line: Line): boolean {
  return line.min.some((low, row) => low !== null && low !== line.max[row]);
}
