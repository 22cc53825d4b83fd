// <pudim-sparkline values="0.1 0.2 - 0.4"> or <pudim-sparkline server metric>: the last hour as a small line.
import { lastHour } from "../live/sparks";
import { pieces, type Spot, spread } from "../pure/polyline";
import type { Value } from "../pure/series";
import { whenSeen } from "../live/seen";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 100;
const HEIGHT = 24;
const REFRESH_MS = 60_000;

class Sparkline extends HTMLElement {
  private forget: (() => void) | undefined;
  private timer: number | undefined;

  connectedCallback(): void {
    const values = this.getAttribute("values");
    if (values !== null) this.draw(spread(values.split(/[\s,]+/).filter(Boolean).map(parse)));
    else this.forget = whenSeen(this, () => void this.load());
  }

  disconnectedCallback(): void {
    this.forget?.();
    clearInterval(this.timer);
  }

  private async load(): Promise<void> {
    const { server, metric } = this.dataset;
    if (!server || !metric) return;
    this.timer ??= window.setInterval(() => document.hidden || void this.load(), REFRESH_MS);
    this.draw(await lastHour(metric, server));
  }

  private draw(spots: readonly Spot[]): void {
    const svg = element("svg", { viewBox: `0 -1 ${WIDTH} ${HEIGHT + 2}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const points of pieces(spots, WIDTH, HEIGHT, 1)) {
      const xs = points.split(" ").map((point) => point.split(",")[0] ?? "0");
      svg.append(
        element("polygon", { points: `${xs[0]},${HEIGHT} ${points} ${xs.at(-1)},${HEIGHT}` }),
        element("polyline", { points }),
      );
    }
    this.replaceChildren(svg);
  }
}

function parse(text: string): Value {
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

function element(name: string, attributes: Record<string, string>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

customElements.define("pudim-sparkline", Sparkline);
