// What the attributes of a <pudim-chart> ask for.
import { type LabelTest, parseFilter } from "../pure/labels";

/** Attributes that say what is drawn; a button of the chart with the same `data-` names switches them. */
export const VIEW_ATTRIBUTES = ["metric", "label-filter", "unit", "kind", "y-max", "top", "order", "muted", "names", "by", "prefix"] as const;

export interface Settings {
  readonly server: string;
  readonly heading: string;
  /** One request each; usually one. */
  readonly metrics: readonly string[];
  readonly chooses: LabelTest;
  /** Overrides what the store says. */
  readonly unit: string | null;
  readonly stacked: boolean;
  readonly yMax: number | null;
  /** Show only so many, those with the largest mean. */
  readonly top: number | null;
  /** Names that come first, in this order; for a stack from the bottom. */
  readonly order: readonly string[];
  /** Names drawn grey. */
  readonly muted: readonly string[];
  /** Names for `metrics`, when there are several or the series have no labels that tell them apart. */
  readonly names: readonly string[];
  /** Labels whose values make the name; without it those that tell the series apart. */
  readonly by: readonly string[];
  readonly prefix: string;
}

export function settingsOf(element: Element): Settings {
  const text = (name: string): string => element.getAttribute(name) ?? "";
  const list = (name: string): string[] => text(name).split(",").map((part) => part.trim()).filter(Boolean);
  const figure = (name: string): number | null => (text(name) === "" ? null : Number(text(name)));
  return {
    server: text("server"),
    heading: text("heading"),
    metrics: list("metric"),
    chooses: parseFilter(text("label-filter")),
    unit: element.getAttribute("unit"),
    stacked: text("kind") === "stacked",
    yMax: figure("y-max"),
    top: figure("top"),
    order: list("order"),
    muted: list("muted"),
    names: list("names"),
    by: list("by"),
    prefix: text("prefix"),
  };
}
