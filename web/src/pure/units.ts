// Says a figure in its unit, so that axes, legends, cards and files agree.
import { figure, t } from "./language";

export type Figure = number | null | undefined;

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;
const DECIMAL = ["", "k", "M", "G", "T"] as const;
const SPANS: readonly [seconds: number, name: string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "µs"],
];

/** A value in a UCUM unit ("1", "By", "By/s", "s", "{packet}/s" ...); a missing one is "unknown", never 0. */
export function formatFigure(value: Figure, unit: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return t("unknown");
  switch (unit) {
    case "1":
      return `${figure(String(percent(value * 100)))} %`;
    case "By":
      return scaled(value, 1024, BINARY);
    case "By/s":
      return `${scaled(value, 1024, BINARY)}/s`;
    case "s":
      return formatSpan(value);
    default:
      return [scaled(value, 1000, DECIMAL), suffix(unit)].filter(Boolean).join("").trim();
  }
}

/** Seconds in the largest unit that leaves at least one whole of it. */
export function formatSpan(seconds: number): string {
  const size = Math.abs(seconds);
  const [length, name] = SPANS.find(([one]) => size >= one * 0.9995) ?? [1e-6, "µs"];
  return size === 0 ? "0 s" : `${threeDigits(seconds / length, 2)} ${name}`;
}

/** Distances between axis ticks that read well in the unit: powers of two for bytes, 1-2-5 for the rest. */
export function tickDistances(unit: string): number[] {
  if (unit === "By" || unit === "By/s") return Array.from({ length: 60 }, (_, power) => 2 ** power);
  const distances: number[] = [];
  for (let power = -6; power <= 15; power++)
    for (const step of [1, 2, 2.5, 5]) distances.push(Number(`${step}e${power}`));
  return distances;
}

/** The labels of one axis: each with the digits that tell neighbours apart, in one common scale. */
export function tickLabels(ticks: readonly number[], unit: string): string[] {
  const distance = Math.abs((ticks[1] ?? 0) - (ticks[0] ?? 0));
  if (unit !== "1") return ticks.map((tick) => (tick === 0 ? "0" : formatFigure(tick, unit)));
  const digits = distance >= 0.01 || distance === 0 ? 0 : Math.min(4, Math.ceil(-Math.log10(distance * 100)));
  return ticks.map((tick) => `${figure((tick * 100).toFixed(digits))} %`);
}

function percent(value: number): number {
  return Number(value.toFixed(Math.abs(value) >= 9.95 ? 0 : 1));
}

function suffix(unit: string): string {
  const words = unit.replace(/\{[^}]*\}/g, "");
  return words === "" || words === "1" ? "" : words.startsWith("/") ? words : ` ${words}`;
}

function scaled(value: number, base: number, names: readonly string[]): string {
  let size = value;
  let power = 0;
  while (Math.abs(size) >= base * 0.9995 && power < names.length - 1) {
    size /= base;
    power += 1;
  }
  const name = names[power] ?? "";
  return `${threeDigits(size, power === 0 && base === 1024 ? 0 : 2)}${name ? ` ${name}` : ""}`;
}

function threeDigits(value: number, most: number): string {
  const size = Math.abs(value);
  const digits = size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? Math.min(1, most) : most;
  const rounded = Number(value.toFixed(digits));
  return Object.is(rounded, -0) ? "0" : figure(String(rounded));
}
