// A server-sent event stream that is closed while nobody looks, so that no agent samples for a hidden tab.

const RETRY_MS = 3_000;

export type Handlers = Readonly<Record<string, (data: unknown) => void>>;
export type Condition = "connecting" | "open" | "closed";

export class Stream {
  private source: EventSource | undefined;
  private retry: number | undefined;
  private wanted = false;

  constructor(
    private readonly path: string,
    private readonly handlers: Handlers,
    private readonly onCondition: (condition: Condition) => void = () => undefined,
  ) {
    document.addEventListener("visibilitychange", () => this.settle());
  }

  open(): void {
    this.wanted = true;
    this.settle();
  }

  close(): void {
    this.wanted = false;
    this.settle();
  }

  private settle(): void {
    clearTimeout(this.retry);
    if (this.wanted && !document.hidden) this.connect();
    else this.disconnect();
  }

  private connect(): void {
    if (this.source) return;
    const source = new EventSource(this.path);
    this.source = source;
    this.onCondition("connecting");
    source.onopen = () => this.onCondition("open");
    source.onerror = () => this.onError(source);
    for (const [name, handle] of Object.entries(this.handlers))
      source.addEventListener(name, (event) => handle(JSON.parse((event as MessageEvent<string>).data)));
  }

  // The browser reconnects by itself after a broken connection, but gives up after an answer like 503.
  private onError(source: EventSource): void {
    this.onCondition("connecting");
    if (source.readyState !== EventSource.CLOSED) return;
    this.disconnect();
    this.retry = window.setTimeout(() => this.settle(), RETRY_MS);
  }

  private disconnect(): void {
    this.source?.close();
    this.source = undefined;
    this.onCondition("closed");
  }
}
