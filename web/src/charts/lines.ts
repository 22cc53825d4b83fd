// The lines of one chart: asked from the store for the page's stretch, then continued by live samples.
import { gatherSeries } from "../live/gathered";
import { distinctNames, type Labels, seriesKey } from "../pure/labels";
import { append, busiest, type Line, makeLine, trim } from "../pure/series";
import type { Sample } from "./feed";
import { page } from "./page";
import type { Settings } from "./settings";

const BASE_INTERVAL = 10; // seconds between an agent's samples while nobody looks
const MISSED = 3;
const WAITING_MOST = 20_000;

export interface Shown {
  readonly key: string;
  readonly name: string;
  readonly muted: boolean;
  readonly line: Line;
}

export class Lines {
  unit: string;
  private readonly all = new Map<string, Line>();
  private step = 1;
  private loaded = false;
  private waiting: Sample[] = [];
  private before: Line[] = [];

  constructor(readonly settings: Settings) {
    this.unit = settings.unit ?? "1";
  }

  async load(points: number, signal: AbortSignal): Promise<void> {
    const { settings } = this;
    const when = question();
    const answers = await Promise.all(
      settings.metrics.map((metric) => gatherSeries({ metric, servers: [settings.server], points, ...when }, signal)),
    );
    signal.throwIfAborted();
    for (const answer of answers) {
      this.unit = settings.unit ?? answer.unit;
      this.step = answer.step;
      if (page.moving) page.setClock(answer.to);
      for (const { labels, ...columns } of answer.series)
        if (settings.chooses(labels)) this.all.set(seriesKey(answer.metric, labels), makeLine(answer.metric, labels, columns));
    }
    this.loaded = true;
    for (const sample of this.waiting) this.take(sample);
    this.waiting = [];
  }

  wants(metric: string, labels: Labels): boolean {
    return this.settings.metrics.includes(metric) && this.settings.chooses(labels);
  }

  /** Takes a live sample; says whether a line is new and whether anything changed. */
  take(sample: Sample): { fresh: boolean; changed: boolean } {
    if (!this.loaded) {
      if (this.waiting.length < WAITING_MOST) this.waiting.push(sample);
      return { fresh: false, changed: false };
    }
    const known = this.all.get(sample.key);
    const line = known ?? makeLine(sample.metric, sample.labels);
    if (!known) this.all.set(sample.key, line);
    const changed = append(line, sample.time, sample.value, this.step, this.holdSeconds);
    return { fresh: !known, changed };
  }

  /** How long a line goes on without a sample before that is a gap. */
  get holdSeconds(): number {
    return MISSED * Math.max(this.step, BASE_INTERVAL);
  }

  forget(from: number): void {
    for (const [key, line] of this.all) {
      trim(line, from);
      if ((line.time.at(-1) ?? from) < from) this.all.delete(key);
    }
  }

  get count(): number {
    return this.all.size;
  }

  get isEmpty(): boolean {
    const { from, to } = page.bounds();
    return ![...this.all.values()].some((line) =>
      line.time.some((time, row) => time >= from && time <= to && line.avg[row] !== null),
    );
  }

  /** What the chart shows, in its order. */
  shown(): Shown[] {
    const { settings } = this;
    const { from, to } = page.bounds();
    const every = [...this.all.values()];
    const lines = settings.top === null ? every : this.settled(busiest(every, settings.top, from, to));
    const names = this.name(lines);
    const shown = lines.map((line, index) => {
      const name = names[index] ?? line.metric;
      return { key: seriesKey(line.metric, line.labels), name, muted: settings.muted.includes(name), line };
    });
    return settings.top === null ? shown.sort((a, b) => this.place(a.name) - this.place(b.name) || compare(a.name, b.name)) : shown;
  }

  // Lines that stay among the busiest keep their order, so that a stack does not shuffle while one looks.
  private settled(lines: readonly Line[]): Line[] {
    const stayed = this.before.filter((line) => lines.includes(line));
    this.before = [...stayed, ...lines.filter((line) => !stayed.includes(line))];
    return this.before;
  }

  private name(lines: readonly Line[]): string[] {
    const { names, metrics, heading, prefix, by } = this.settings;
    const labels = lines.map((line) => line.labels);
    const told = by.length ? labels.map((one) => by.flatMap((key) => one[key] ?? []).join(" ")) : distinctNames(labels);
    return lines.map((line, index) => {
      const metric = names[metrics.indexOf(line.metric)] ?? "";
      return [metric, told[index] ? prefix + told[index] : ""].filter(Boolean).join(" ") || heading;
    });
  }

  private place(name: string): number {
    const { order, names } = this.settings;
    const place = [...order, ...names].indexOf(name);
    return place === -1 ? order.length + names.length : place;
  }
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, undefined, { numeric: true });
}

function question(): { from: string; to: string } {
  const { range } = page;
  if ("last" in range && page.live) return { from: `-${range.last}`, to: "now" };
  const { from, to } = page.bounds();
  return { from: String(from), to: String(to) };
}
