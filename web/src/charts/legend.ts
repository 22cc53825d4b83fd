// The list under a chart: a colour, a name and the value at the cross-hair, or the newest one.
import { moment } from "../pure/clock";
import { t } from "../pure/language";
import type { Aligned } from "../pure/series";
import { formatFigure } from "../pure/units";
import { page } from "./page";
import { colour } from "./palette";

const LOOK_BACK = 40;

export interface Entry {
  readonly name: string;
  readonly place: number;
}

export interface Reading {
  readonly unit: string;
  readonly banded: boolean;
  readonly oldest: number;
}

export class Legend {
  private readonly swatches: HTMLElement[] = [];
  private readonly figures: HTMLElement[] = [];
  private readonly time = document.createElement("li");
  private entries: readonly Entry[] = [];

  constructor(private readonly list: HTMLElement) {}

  setEntries(entries: readonly Entry[], note: string): void {
    this.entries = entries;
    this.figures.length = 0;
    this.swatches.length = 0;
    this.time.className = "chart-legend-time";
    const items = entries.map((entry) => this.item(entry));
    this.list.replaceChildren(this.time, ...items, ...(note ? [make("li", "chart-legend-note", note)] : []));
    this.paint();
  }

  /** Colours again, after the theme changed. */
  paint(): void {
    for (const [index, swatch] of this.swatches.entries())
      swatch.style.backgroundColor = colour(this.entries[index]?.place ?? 0);
  }

  /** The values of a row, or without one the newest value of each line, unless that is older than `oldest`. */
  show(row: number | null, { time, avg, min, max }: Aligned, { unit, banded, oldest }: Reading): void {
    const at = row === null ? undefined : time[row];
    const { from, to } = page.bounds();
    this.set(this.time, at === undefined ? (page.moving ? t("now") : t("last")) : moment(at, to - from));
    this.time.classList.toggle("is-cursor", at !== undefined);
    for (const [index, figure] of this.figures.entries()) {
      const last = valueAt(avg[index] ?? [], row ?? time.length - 1);
      const found = row === null && last !== null && (time[last] ?? 0) < oldest ? null : last;
      const value = found === null ? null : avg[index]?.[found];
      const low = found === null ? null : min[index]?.[found];
      const high = found === null ? null : max[index]?.[found];
      const spread = banded && row !== null && low !== high ? ` (${formatFigure(low, unit)} – ${formatFigure(high, unit)})` : "";
      this.set(figure, formatFigure(value, unit) + spread);
    }
  }

  private item({ name }: Entry): HTMLElement {
    const item = make("li", "chart-legend-item");
    const swatch = make("span", "chart-swatch");
    const figure = make("span", "chart-figure");
    item.append(swatch, make("span", "chart-name", name), figure);
    item.title = name;
    this.swatches.push(swatch);
    this.figures.push(figure);
    return item;
  }

  private set(element: HTMLElement, text: string): void {
    if (element.textContent !== text) element.textContent = text;
  }
}

// At the edge some lines have their newest row a moment earlier than others.
function valueAt(column: ArrayLike<number | null | undefined>, row: number): number | null {
  for (let back = 0; back < LOOK_BACK && row - back >= 0; back++) {
    const value = column[row - back];
    if (value !== undefined) return value === null ? null : row - back;
  }
  return null;
}

function make(tag: string, name: string, text = ""): HTMLElement {
  const element = document.createElement(tag);
  element.className = name;
  element.textContent = text;
  return element;
}
