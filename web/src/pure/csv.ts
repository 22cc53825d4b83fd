// Writes what a chart shows as a table that any spreadsheet opens.
import { align, type Line } from "./series";

/** One row a time in ISO; per line its mean, and the extremes where buckets hold several samples. */
export function toCsv(lines: readonly Line[], names: readonly string[], unit: string, spread: boolean): string {
  const { time, min, avg, max } = align(lines);
  const heads = names.flatMap((name) => (spread ? [`${name} avg`, `${name} min`, `${name} max`] : [name]));
  const rows = time.map((one, row) => [
    new Date(one * 1000).toISOString(),
    ...lines.flatMap((_, line) =>
      (spread ? [avg, min, max] : [avg]).map((columns) => String(columns[line]?.[row] ?? "")),
    ),
  ]);
  return [["time", ...heads.map((head) => `${head} [${unit}]`)], ...rows]
    .map((cells) => `${cells.map(quote).join(",")}\r\n`)
    .join("");
}

// A name may come from a host; a leading = + - @ would run as a formula in a spreadsheet.
function quote(cell: string): string {
  const harmless = /^[=+\-@\t\r]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
