// The stretch of time a page shows, as a link can carry it.

export const PRESETS = ["15m", "1h", "6h", "24h", "7d", "30d", "90d"] as const;
export type Preset = (typeof PRESETS)[number];

/** Either the newest stretch, which moves on, or a fixed one in Unix seconds. */
export type Range = { readonly last: Preset } | { readonly from: number; readonly to: number };

const UNIT_SECONDS = { m: 60, h: 3_600, d: 86_400 } as const;
const SHORTEST = 10;

export function presetSeconds(preset: Preset): number {
  const unit = preset.slice(-1) as keyof typeof UNIT_SECONDS;
  return Number(preset.slice(0, -1)) * UNIT_SECONDS[unit];
}

export function bounds(range: Range, now: number): { from: number; to: number } {
  return "last" in range ? { from: now - presetSeconds(range.last), to: now } : { from: range.from, to: range.to };
}

/** From the address's query: `range=6h`, or `from` and `to` as Unix seconds or ISO; `fallback` for nonsense. */
export function rangeOf(query: URLSearchParams, fallback: Preset): Range {
  const from = instant(query.get("from"));
  const to = instant(query.get("to"));
  if (from !== null && to !== null && to - from >= 1) return { from, to };
  const preset = PRESETS.find((one) => one === query.get("range"));
  return { last: preset ?? fallback };
}

export function queryOf(range: Range): URLSearchParams {
  return "last" in range
    ? new URLSearchParams({ range: range.last })
    : new URLSearchParams({ from: String(Math.floor(range.from)), to: String(Math.ceil(range.to)) });
}

/** A stretch dragged on a chart, made whole seconds and not shorter than a sample or two. */
export function zoomed(from: number, to: number): Range {
  const middle = (from + to) / 2;
  const half = Math.max(to - from, SHORTEST) / 2;
  return { from: Math.floor(middle - half), to: Math.ceil(middle + half) };
}

function instant(text: string | null): number | null {
  if (!text) return null;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  return Number.isFinite(seconds) ? seconds : null;
}
