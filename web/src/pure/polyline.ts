// Turns samples into the pieces of a line for a small picture.
import type { Value } from "./series";

/** `at` is the sample's place across the picture, from 0 to 1. */
export interface Spot {
  readonly at: number;
  readonly value: Value;
}

/** Values at equal distances over the whole width. */
export function spread(values: readonly Value[]): Spot[] {
  return values.map((value, index) => ({ at: index / Math.max(1, values.length - 1), value }));
}

/** Point lists for SVG polylines in a box of width x height; a missing value ends one piece. */
export function pieces(spots: readonly Spot[], width: number, height: number, top: number): string[] {
  const out: string[][] = [[]];
  for (const { at, value } of spots) {
    const piece = out.at(-1) ?? [];
    if (value !== null) piece.push(`${(at * width).toFixed(1)},${(height - (Math.min(value, top) / top) * height).toFixed(1)}`);
    else if (piece.length) out.push([]);
  }
  return out.filter((piece) => piece.length).map((piece) => piece.join(" "));
}
