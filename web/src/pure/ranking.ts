// Orders servers so that what needs a person comes first, without rows that swap at every tick.
import type { Figure } from "./units";

export interface Ranked {
  readonly name: string;
  readonly state: string;
  readonly figures: readonly Figure[];
}

export type Level = "unknown" | "calm" | "raised" | "high";

const STATES = ["silent", "live", "waiting", "revoked"];
const RAISED = 0.75;
const HIGH = 0.9;

/** What colour a fraction deserves; an unknown one is never calm. */
export function level(figure: Figure): Level {
  if (figure === null || figure === undefined || !Number.isFinite(figure)) return "unknown";
  return figure >= HIGH ? "high" : figure >= RAISED ? "raised" : "calm";
}

/** Worst first: silent, then live ones by their fullest figure in steps of ten percent, then by name. */
export function worstFirst(a: Ranked, b: Ranked): number {
  return rank(a) - rank(b) || strain(b) - strain(a) || byName(a, b);
}

export function byName(a: Ranked, b: Ranked): number {
  return a.name.localeCompare(b.name, undefined, { numeric: true });
}

function rank(server: Ranked): number {
  const place = STATES.indexOf(server.state);
  return place === -1 ? STATES.length : place;
}

// A live server that does not say how it is ranks between calm and strained.
function strain(server: Ranked): number {
  if (server.state !== "live") return 0;
  return Math.max(...server.figures.map((figure) => (level(figure) === "unknown" ? 0.7 : Math.floor((figure ?? 0) * 10) / 10)));
}
