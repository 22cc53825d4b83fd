// Piles columns on each other for a stacked chart.
import type { Value } from "./series";

/**
 * Running sums, the first column lowest. A row in which no column has a value stays a gap; a single
 * missing value takes that column's value before it for at most `hold` seconds, then counts as nothing.
 */
export function stack(
  time: readonly number[],
  columns: readonly (Value | undefined)[][],
  hold: number,
): Value[][] {
  const below = new Array<number>(time.length).fill(0);
  const gap = time.map((_, row) => columns.every((column) => column[row] === null || column[row] === undefined));
  return columns.map((column) => {
    const filled = fill(time, column, hold);
    return time.map((_, row) => {
      if (gap[row]) return null;
      below[row] = (below[row] ?? 0) + (filled[row] ?? 0);
      return below[row] ?? 0;
    });
  });
}

function fill(time: readonly number[], column: readonly (Value | undefined)[], hold: number): Value[] {
  let held: Value = null;
  let since = -Infinity;
  return time.map((now, row) => {
    const value = column[row];
    if (value !== undefined) {
      held = value;
      since = now;
    }
    return now - since <= hold ? held : null;
  });
}
