// The one live stream of a server: keeps the layouts and hands each sample to whoever wants that series.
import { type Condition, Stream } from "../live/stream";
import { type Labels, seriesKey } from "../pure/labels";
import type { Value } from "../pure/series";
import { page } from "./page";

export interface Sample {
  readonly key: string;
  readonly metric: string;
  readonly labels: Labels;
  readonly time: number;
  readonly value: Value;
}

export interface Subscriber {
  wants(metric: string, labels: Labels): boolean;
  take(sample: Sample): void;
}

interface LayoutEvent {
  readonly source: number;
  readonly series: readonly { readonly metric: string; readonly labels: Labels }[];
}

interface FrameEvent {
  readonly source: number;
  readonly time: number;
  readonly values: readonly Value[];
}

interface Column {
  readonly key: string;
  readonly metric: string;
  readonly labels: Labels;
  takers: Subscriber[];
}

export class Feed extends EventTarget {
  condition: Condition = "closed";
  private lostAt: number | undefined;
  private readonly layouts = new Map<number, Column[]>();
  private readonly subscribers = new Set<Subscriber>();
  private readonly stream: Stream;

  constructor(server: string) {
    super();
    const handlers = {
      layout: (data: unknown) => this.onLayout(data as LayoutEvent),
      frame: (data: unknown) => this.onFrame(data as FrameEvent),
    };
    this.stream = new Stream(`/live/servers/${encodeURIComponent(server)}`, handlers, (condition) => this.onCondition(condition));
    for (const event of ["range", "pause"]) page.addEventListener(event, () => this.settle());
    this.settle();
  }

  subscribe(subscriber: Subscriber): () => void {
    this.subscribers.add(subscriber);
    this.reroute();
    return () => {
      this.subscribers.delete(subscriber);
      this.reroute();
    };
  }

  private onCondition(condition: Condition): void {
    if (this.condition === "open") this.lostAt = performance.now();
    this.condition = condition;
    this.dispatchEvent(new Event("condition"));
    if (condition === "open" && this.lostAt !== undefined) page.refresh((performance.now() - this.lostAt) / 1000);
  }

  private settle(): void {
    if (page.moving) this.stream.open();
    else this.stream.close();
  }

  private onLayout({ source, series }: LayoutEvent): void {
    const columns = series.map(({ metric, labels }) => ({ key: seriesKey(metric, labels), metric, labels, takers: [] }));
    this.layouts.set(source, columns);
    this.reroute();
  }

  /** Asks every subscriber again what it wants. */
  reroute(): void {
    const all = [...this.subscribers];
    for (const columns of this.layouts.values())
      for (const column of columns) column.takers = all.filter((one) => one.wants(column.metric, column.labels));
  }

  private onFrame({ source, time, values }: FrameEvent): void {
    for (const [index, { key, metric, labels, takers }] of (this.layouts.get(source) ?? []).entries())
      for (const taker of takers) taker.take({ key, metric, labels, time, value: values[index] ?? null });
    this.dispatchEvent(new Event("frame"));
  }
}

const feeds = new Map<string, Feed>();

export function feedOf(server: string): Feed {
  const feed = feeds.get(server) ?? new Feed(server);
  feeds.set(server, feed);
  return feed;
}
