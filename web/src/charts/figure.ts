// <pudim-figure>: the newest value of a metric in large type, the highest one where several series fit.
import { everySecond } from "../live/ticker";
import { type LabelTest, parseFilter } from "../pure/labels";
import { level } from "../pure/ranking";
import { formatFigure } from "../pure/units";
import { feedOf, type Sample } from "./feed";
import { page } from "./page";

const STALE_SECONDS = 30;

class LiveFigure extends HTMLElement {
  private readonly newest = new Map<string, Sample>();
  private stops: (() => void)[] = [];

  connectedCallback(): void {
    const { server = "", metric = "", filter = "" } = this.dataset;
    const chooses: LabelTest = parseFilter(filter);
    this.stops = [
      feedOf(server).subscribe({
        wants: (name, labels) => name === metric && chooses(labels),
        take: (sample) => this.take(sample),
      }),
      everySecond(() => this.show()),
    ];
  }

  disconnectedCallback(): void {
    for (const stop of this.stops) stop();
  }

  private take(sample: Sample): void {
    this.newest.set(sample.key, sample);
    this.show();
  }

  private show(): void {
    if (this.newest.size === 0 || !page.moving) return;
    const fresh = [...this.newest.values()].filter(({ time }) => page.now() - time <= STALE_SECONDS);
    const values = fresh.flatMap(({ value }) => value ?? []);
    const value = values.length ? Math.max(...values) : null;
    const { unit = "1" } = this.dataset;
    const text = this.querySelector("[data-figure-text]");
    const bar = this.querySelector("progress");
    this.dataset["level"] = unit === "1" || value === null ? level(value) : "calm";
    if (text) text.textContent = formatFigure(value, unit);
    if (bar) bar.value = Math.min(1, value ?? 0);
  }
}

customElements.define("pudim-figure", LiveFigure);
