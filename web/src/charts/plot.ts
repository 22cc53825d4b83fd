// Draws lines with uPlot: axes in the page's units and colours, a band around means, stacks, the cross-hair.
import uPlot from "uplot";
import { zoneName } from "../pure/language";
import { axisTimes } from "../pure/clock";
import { align, type Aligned, hasSpread } from "../pure/series";
import { isolated } from "../pure/isolated";
import { stack } from "../pure/stack";
import { tickDistances, tickLabels } from "../pure/units";
import type { Shown } from "./lines";
import { page } from "./page";
import { chrome, colour, faded } from "./palette";
import type { Settings } from "./settings";

const HEIGHT = 210;
const Y_AXIS = 68;
const LEAST_DRAG = 4;
const FEW = 4;
const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
/** A chart of nearly nothing should look like nearly nothing. */
const LEAST_TOP: Readonly<Record<string, number>> = { "1": 0.02, "By/s": 1024, By: 1024, s: 0.001 };

export interface Drawing {
  readonly settings: Settings;
  readonly unit: string;
  readonly shown: readonly Shown[];
  readonly places: readonly number[];
  readonly holdSeconds: number;
}

export interface Picture {
  readonly plot: uPlot;
  readonly aligned: Aligned;
  readonly banded: boolean;
}

export interface Reactions {
  readonly onZoom: (from: number, to: number) => void;
  readonly onReset: () => void;
  readonly onCursor: (row: number | null) => void;
}

/** Bands only around few lines: around many they are fog. */
export function isBanded({ settings, shown }: Drawing): boolean {
  return !settings.stacked && shown.length <= FEW && shown.some(({ line }) => hasSpread(line));
}

export function plotColumns(drawing: Drawing, banded: boolean): { aligned: Aligned; data: uPlot.AlignedData } {
  const aligned = align(drawing.shown.map(({ line }) => line));
  const { time, avg, min, max } = aligned;
  const columns = drawing.settings.stacked ? stack(time, avg, drawing.holdSeconds) : banded ? [...avg, ...max, ...min] : avg;
  return { aligned, data: [time, ...columns] };
}

export function makePlot(host: HTMLElement, drawing: Drawing, banded: boolean, data: uPlot.AlignedData, reactions: Reactions): uPlot {
  const { settings, shown, unit } = drawing;
  const count = shown.length;
  return new uPlot(
    {
      width: Math.max(host.clientWidth, 120),
      height: HEIGHT,
      ...(zoneName() ? { tzDate: (time: number) => uPlot.tzDate(new Date(time * 1000), zoneName()) } : {}),
      padding: [10, 20, 0, 0],
      legend: { show: false },
      series: [{}, ...lineSeries(drawing), ...(banded ? edgeSeries(count * 2) : [])],
      bands: settings.stacked ? stackBands(drawing) : banded ? spreadBands(drawing) : [],
      scales: {
        x: { time: true, range: () => [page.bounds().from, page.bounds().to] },
        y: { range: (_plot, _low, high) => [0, settings.yMax ?? top(high, unit)] },
      },
      axes: [timeAxis(), valueAxis(unit)],
      cursor: cursor(count, reactions),
      hooks: {
        setCursor: [(plot) => reactions.onCursor(plot.cursor.idx ?? null)],
        setSelect: [(plot) => select(plot, reactions)],
      },
    },
    data,
    host,
  );
}

function lineSeries({ settings, shown, places }: Drawing): uPlot.Series[] {
  return shown.map((_, index) => ({
    stroke: () => colour(places[index] ?? index),
    ...(settings.stacked && index === 0 ? { fill: () => stackFill(places[0] ?? 0) } : {}),
    width: settings.stacked ? 0.75 : 1.5,
    points: { show: false, size: 4, fill: () => colour(places[index] ?? index), filter: (plot, series) => isolated(plot.data[series] ?? []) },
  }));
}

function edgeSeries(count: number): uPlot.Series[] {
  return Array.from({ length: count }, () => ({ stroke: "transparent", width: 0, points: { show: false } }));
}

function stackBands({ shown, places }: Drawing): uPlot.Band[] {
  return shown.slice(1).map((_, index) => ({
    series: [index + 2, index + 1],
    fill: () => stackFill(places[index + 1] ?? index + 1),
  }));
}

function spreadBands({ shown, places }: Drawing): uPlot.Band[] {
  const count = shown.length;
  return shown.map((_, index) => ({
    series: [1 + count + index, 1 + 2 * count + index],
    fill: () => faded(colour(places[index] ?? index), 0.3),
  }));
}

function stackFill(place: number): string {
  return faded(colour(place), place < 0 ? 0.25 : 0.55);
}

function top(high: number | null, unit: string): number {
  const least = LEAST_TOP[unit] ?? 1;
  return Math.max(high ?? 0, least) * 1.08;
}

function timeAxis(): uPlot.Axis {
  return {
    stroke: () => chrome("text"),
    font: FONT,
    size: 30,
    gap: 6,
    space: 64,
    grid: { show: false },
    ticks: { stroke: () => chrome("grid"), width: 1, size: 5 },
    values: (_plot, ticks, _axis, _space, distance) => axisTimes(ticks, distance),
  };
}

function valueAxis(unit: string): uPlot.Axis {
  return {
    stroke: () => chrome("text"),
    font: FONT,
    size: Y_AXIS,
    gap: 8,
    space: 27,
    incrs: tickDistances(unit),
    grid: { stroke: () => chrome("grid"), width: 1 },
    ticks: { show: false },
    values: (_plot, ticks) => tickLabels(ticks, unit),
  };
}

function cursor(count: number, { onReset }: Reactions): uPlot.Cursor {
  const moves = (type: string): boolean => type === "mousemove" || type === "mouseleave";
  return {
    y: false,
    drag: { x: true, y: false, setScale: false },
    sync: { key: "page", setSeries: false, filters: { pub: moves, sub: moves } },
    points: {
      show: (plot, series) => (series <= count ? hoverPoint(plot, series) : (undefined as unknown as HTMLElement)),
    },
    bind: {
      dblclick: () => () => {
        onReset();
        return null;
      },
    },
  };
}

function hoverPoint(plot: uPlot, series: number): HTMLElement {
  const point = document.createElement("div");
  const paint = plot.series[series]?.stroke;
  point.className = "chart-point";
  point.style.background = typeof paint === "function" ? String(paint(plot, series)) : "";
  return point;
}

function select(plot: uPlot, { onZoom }: Reactions): void {
  const { left, width } = plot.select;
  if (width >= LEAST_DRAG) onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
}
