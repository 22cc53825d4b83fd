// Turns values into the pieces of a line for a small picture.
import type { Value } from "./series";

/** Point lists for SVG polylines in a box of width x height; a missing value ends one piece. */
export function pieces(values: readonly Value[], width: number, height: number, top: number): string[] {
  const out: string[][] = [[]];
  const across = values.length > 1 ? width / (values.length - 1) : 0;
  for (const [index, value] of values.entries()) {
    const piece = out.at(-1) ?? [];
    if (value !== null) piece.push(point(index * across, height - (Math.min(value, top) / top) * height));
    else if (piece.length) out.push([]);
  }
  return out.filter((piece) => piece.length).map((piece) => piece.join(" "));
}

function point(x: number, y: number): string {
  return `${x.toFixed(1)},${y.toFixed(1)}`;
}
