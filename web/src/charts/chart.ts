// <pudim-chart>: one chart of a server over the page's stretch of time, live while that ends now.
import { watchSeen } from "../live/seen";
import { everySecond } from "../live/ticker";
import { t } from "../pure/language";
import { toCsv } from "../pure/csv";
import { type Aligned, hasSpread, summarise } from "../pure/series";
import { zoomed } from "../pure/ranges";
import { formatFigure } from "../pure/units";
import type { Labels } from "../pure/labels";
import type uPlot from "uplot";
import { feedOf, type Sample } from "./feed";
import { Legend } from "./legend";
import { Lines } from "./lines";
import { page } from "./page";
import { Places } from "./palette";
import { type Drawing, isBanded, makePlot, plotColumns } from "./plot";
import { settingsOf, VIEW_ATTRIBUTES } from "./settings";
import { watchTheme } from "./theme-watch";

const MOST_POINTS = 1_000;
const LEAST_POINTS = 120;
const RESHAPE_SECONDS = 15;
const SPOKEN_LINES = 4;

class Chart extends HTMLElement {
  static readonly observedAttributes = VIEW_ATTRIBUTES;

  private lines: Lines | undefined;
  private plot: uPlot | undefined;
  private drawing: Drawing | undefined;
  private aligned: Aligned = { time: [], min: [], avg: [], max: [] };
  private banded = false;
  private legend!: Legend;
  private readonly places = new Places();
  private request: AbortController | undefined;
  private stops: (() => void)[] = [];
  private seen = false;
  private stale = true;
  private frame: number | undefined;
  private reshapeAt = 0;
  private queued = false;

  connectedCallback(): void {
    this.legend = new Legend(this.piece("legend"));
    const feed = feedOf(this.getAttribute("server") ?? "");
    const resize = new ResizeObserver(() => this.resize());
    const onRange = (): void => this.reload();
    page.addEventListener("range", onRange);
    resize.observe(this.piece("plot"));
    this.listen();
    this.stops = [
      feed.subscribe({ wants: (metric, labels) => this.wants(metric, labels), take: (sample) => this.take(sample) }),
      watchSeen(this, (seen) => this.onSeen(seen)),
      everySecond(() => this.slide()),
      watchTheme(() => this.repaint()),
      () => page.removeEventListener("range", onRange),
      () => resize.disconnect(),
    ];
  }

  disconnectedCallback(): void {
    for (const stop of this.stops) stop();
    this.request?.abort();
    this.plot?.destroy();
    this.plot = undefined;
  }

  attributeChangedCallback(): void {
    if (this.queued || !this.stops.length) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      this.dropPlot();
      this.lines = undefined;
      this.reload();
    });
  }

  private piece(name: string): HTMLElement {
    const found = this.querySelector<HTMLElement>(`[data-part="${name}"]`);
    if (!found) throw new TypeError(`<pudim-chart> without a part "${name}"`);
    return found;
  }

  private listen(): void {
    this.addEventListener("click", (event) => {
      const button = (event.target as Element).closest("button");
      if (button?.dataset["part"] === "retry") this.reload();
      if (button?.dataset["part"] === "csv") this.download();
      if (button?.dataset["metric"]) this.switchTo(button);
    });
    this.piece("plot").addEventListener("keydown", (event) => this.walk(event));
    this.piece("plot").addEventListener("focus", () => this.describe());
  }

  private switchTo(button: HTMLElement): void {
    for (const other of this.querySelectorAll("button[data-metric]"))
      other.setAttribute("aria-pressed", String(other === button));
    for (const name of VIEW_ATTRIBUTES) {
      const value = button.getAttribute(`data-${name}`);
      if (value === null) this.removeAttribute(name);
      else this.setAttribute(name, value);
    }
  }

  private onSeen(seen: boolean): void {
    this.seen = seen;
    if (!seen) return;
    if (this.stale) this.reload();
    else this.drawSoon();
  }

  private reload(): void {
    this.stale = true;
    this.request?.abort();
    if (this.seen) void this.load();
  }

  private async load(): Promise<void> {
    this.stale = false;
    const request = new AbortController();
    this.request = request;
    const lines = new Lines(settingsOf(this));
    this.lines = lines;
    feedOf(lines.settings.server).reroute();
    this.show("loading");
    try {
      await lines.load(this.points(), request.signal);
    } catch (error) {
      if (!request.signal.aborted) this.fail(error);
      return;
    }
    this.reshape();
    this.describe();
  }

  private points(): number {
    return Math.min(MOST_POINTS, Math.max(LEAST_POINTS, Math.round(this.piece("plot").clientWidth)));
  }

  private wants(metric: string, labels: Labels): boolean {
    return this.lines?.wants(metric, labels) ?? false;
  }

  private take(sample: Sample): void {
    const { fresh, changed } = this.lines?.take(sample) ?? { fresh: false, changed: false };
    if (fresh) this.reshapeAt = Math.min(this.reshapeAt, Date.now() / 1000 + 1);
    if (changed) this.drawSoon();
  }

  private slide(): void {
    if (!page.moving || !this.lines) return;
    if (Date.now() / 1000 >= this.reshapeAt && this.dataset["condition"] !== "loading") this.reshape();
    else this.drawSoon();
  }

  private drawSoon(): void {
    if (!this.seen || this.frame !== undefined) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = undefined;
      this.redraw();
    });
  }

  /** Decides anew which lines are shown; the plot is made again only when they are others. */
  private reshape(): void {
    if (!this.lines || this.dataset["condition"] === "error") return;
    this.reshapeAt = Date.now() / 1000 + RESHAPE_SECONDS;
    this.lines.forget(page.bounds().from);
    const { settings, unit, holdSeconds } = this.lines;
    const shown = this.lines.shown();
    const coloured = shown.filter(({ muted }) => !muted);
    const assigned = this.places.assign(coloured.map(({ key }) => key));
    const places = shown.map((one) => (one.muted ? -1 : (assigned[coloured.indexOf(one)] ?? 0)));
    const before = this.drawing;
    this.drawing = { settings, unit, shown, places, holdSeconds };
    if (!this.plot || !before || signature(before) !== signature(this.drawing) || isBanded(this.drawing) !== this.banded)
      this.makePlot();
    else this.redraw();
    this.show(this.lines.isEmpty ? "empty" : "ready");
  }

  private makePlot(): void {
    const { drawing, lines } = this;
    if (!drawing || !lines) return;
    this.dropPlot();
    this.banded = isBanded(drawing);
    const { aligned, data } = plotColumns(drawing, this.banded);
    this.aligned = aligned;
    const more = lines.count > drawing.shown.length ? t("top %(shown)s of %(all)s", { shown: drawing.shown.length, all: lines.count }) : "";
    this.legend.setEntries(drawing.shown.map(({ name }, index) => ({ name, place: drawing.places[index] ?? 0 })), more);
    this.plot = makePlot(this.piece("plot"), drawing, this.banded, data, {
      onZoom: (from, to) => page.show(zoomed(from, to)),
      onReset: () => page.reset(),
      onCursor: (row) => this.read(row),
    });
    this.read(null);
  }

  private redraw(): void {
    if (!this.plot || !this.drawing) return;
    const { aligned, data } = plotColumns(this.drawing, this.banded);
    this.aligned = aligned;
    this.plot.setData(data);
    const pointed = (this.plot.cursor.left ?? -1) >= 0 ? (this.plot.cursor.idx ?? null) : null;
    this.read(pointed);
    if (this.dataset["condition"] === "empty" && this.lines && !this.lines.isEmpty) this.show("ready");
  }

  // A value that stopped coming is not "now".
  private read(row: number | null): void {
    if (!this.drawing) return;
    const { unit, holdSeconds } = this.drawing;
    const oldest = page.moving ? page.now() - holdSeconds : -Infinity;
    this.legend.show(row, this.aligned, { unit, banded: this.banded, oldest });
  }

  private repaint(): void {
    this.legend.paint();
    if (this.plot) this.makePlot();
  }

  private dropPlot(): void {
    this.plot?.destroy();
    this.plot = undefined;
  }

  private resize(): void {
    const width = this.piece("plot").clientWidth;
    if (this.plot && width > 0 && Math.abs(width - this.plot.width) > 1) this.plot.setSize({ width, height: this.plot.height });
  }

  private show(condition: "loading" | "empty" | "ready" | "error", words = ""): void {
    this.dataset["condition"] = condition;
    this.setAttribute("aria-busy", String(condition === "loading"));
    this.piece("note-text").textContent = condition === "empty" ? t("No samples in this range") : words;
    this.piece("retry").hidden = condition !== "error";
  }

  private fail(error: unknown): void {
    this.stale = true;
    this.show("error", t("Could not load this chart: %(why)s", { why: error instanceof Error ? error.message : String(error) }));
  }

  private describe(): void {
    const { from, to } = page.bounds();
    const spoken = (this.drawing?.shown ?? []).slice(0, SPOKEN_LINES).map(({ name, line }) => {
      const { mean, max, last } = summarise(line, from, to);
      const say = (value: number | null): string => formatFigure(value, this.drawing?.unit ?? "1");
      return t("%(name)s: mean %(mean)s, highest %(max)s, last %(last)s", { name, mean: say(mean), max: say(max), last: say(last) });
    });
    const heading = this.getAttribute("heading") ?? t("Chart");
    this.piece("plot").setAttribute("aria-label", `${heading}. ${spoken.join("; ") || t("No samples in this range")}`);
  }

  private walk(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!this.plot || step === undefined) return;
    event.preventDefault();
    const rows = this.aligned.time.length;
    const from = (this.plot.cursor.left ?? -1) < 0 ? rows - 1 : (this.plot.cursor.idx ?? rows - 1);
    const row = Math.min(rows - 1, Math.max(0, from + step * (event.shiftKey ? 10 : 1)));
    this.plot.setCursor({ left: this.plot.valToPos(this.aligned.time[row] ?? 0, "x"), top: 10 });
  }

  private download(): void {
    const { drawing } = this;
    if (!drawing) return;
    const lines = drawing.shown.map(({ line }) => line);
    const text = toCsv(lines, drawing.shown.map(({ name }) => name), drawing.unit, lines.some(hasSpread));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = `${drawing.settings.metrics.join("-")}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  }
}

function signature({ shown, unit, settings }: Drawing): string {
  return JSON.stringify([unit, settings.stacked, shown.map(({ key, name, muted }) => [key, name, muted])]);
}

customElements.define("pudim-chart", Chart);
