// <pudim-server-list>: keeps the rows of the server table true, sorts them and filters them by name.
import type { Server } from "../live/api";
import { Stream } from "../live/stream";
import { everySecond } from "../live/ticker";
import { byName, level, type Ranked, worstFirst } from "../pure/ranking";
import { troubles } from "../pure/signs";
import { stateWord } from "../pure/states";
import { type Figure, formatFigure } from "../pure/units";

const FIGURES = ["cpu", "memory", "disk"] as const;
const RESORT_SECONDS = 10;

class ServerList extends HTMLElement {
  private readonly known = new Map<string, Server>();
  private stream: Stream | undefined;
  private sortedAt = 0;
  private stop: (() => void) | undefined;

  connectedCallback(): void {
    this.stream = new Stream(`/live/servers${location.search}`, { servers: (servers) => this.update(servers as Server[]) });
    this.stream.open();
    this.stop = everySecond((now) => this.resort(now));
    this.addEventListener("input", () => this.filter());
    this.addEventListener("change", () => this.sort());
    this.sort();
  }

  disconnectedCallback(): void {
    this.stream?.close();
    this.stop?.();
  }

  private rows(): HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>("tr[data-server]")];
  }

  private update(servers: readonly Server[]): void {
    const rows = new Map(this.rows().map((row) => [row.dataset["server"], row]));
    for (const server of servers) {
      this.known.set(server.id, server);
      const row = rows.get(server.id);
      if (row) showServer(row, server);
    }
    if (servers.some((server) => !rows.has(server.id))) void this.reload();
  }

  // A server that came since the page was made: take the rows of a fresh page.
  private async reload(): Promise<void> {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("pudim-server-list");
    const body = this.querySelector("tbody");
    const freshBody = fresh?.querySelector("tbody");
    if (body && freshBody) body.replaceWith(document.adoptNode(freshBody));
    else if (fresh) this.replaceWith(document.adoptNode(fresh));
    this.sort();
    this.filter();
  }

  private filter(): void {
    const wanted = this.querySelector<HTMLInputElement>("input[type=search]")?.value.trim().toLowerCase() ?? "";
    let shown = 0;
    for (const row of this.rows()) {
      row.hidden = !(row.dataset["name"] ?? "").toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    const none = this.querySelector<HTMLElement>("[data-none]");
    if (none) none.hidden = shown > 0;
  }

  // Not while somebody points at a row: it would move away under the pointer.
  private resort(now: number): void {
    if (now - this.sortedAt >= RESORT_SECONDS && !this.querySelector("tbody:hover, tbody :focus-visible")) this.sort();
  }

  private sort(): void {
    this.sortedAt = Date.now() / 1000;
    const order = this.querySelector<HTMLInputElement>("input[name=order]:checked")?.value === "name" ? byName : worstFirst;
    const rows = this.rows();
    const sorted = rows.toSorted((a, b) => order(ranked(a), ranked(b)));
    if (sorted.some((row, place) => row !== rows[place])) this.querySelector("tbody")?.append(...sorted);
  }
}

function ranked(row: HTMLElement): Ranked {
  const { name = "", state = "" } = row.dataset;
  return { name, state, figures: FIGURES.map((figure) => number(row.dataset[figure])) };
}

function number(text: string | undefined): Figure {
  return text ? Number(text) : null;
}

function showServer(row: HTMLElement, server: Server): void {
  row.dataset["state"] = server.state;
  const state = row.querySelector<HTMLElement>("[data-state-word]");
  if (state && state.textContent !== stateWord(server.state)) state.textContent = stateWord(server.state);
  if (server.last_seen_at) row.querySelector("pudim-ago")?.setAttribute("datetime", server.last_seen_at);
  for (const figure of FIGURES) showFigure(row, figure, server[figure]);
  showSigns(row, server);
}

function showSigns(row: HTMLElement, server: Server): void {
  const place = row.querySelector("[data-signs]");
  const found = troubles(server.signs ?? {});
  if (!place || place.textContent === found.map(({ words }) => words).join("")) return;
  place.replaceChildren(
    ...found.map(({ kind, words, old }) => {
      const link = document.createElement("a");
      link.className = old ? "sign is-old" : "sign";
      link.href = `/servers/${server.id}#${kind}`;
      link.textContent = words;
      return link;
    }),
  );
}

function showFigure(row: HTMLElement, name: (typeof FIGURES)[number], value: Figure): void {
  row.dataset[name] = value === null || value === undefined ? "" : String(value);
  const cell = row.querySelector<HTMLElement>(`[data-figure="${name}"]`);
  const words = cell?.querySelector("[data-figure-text]");
  const bar = cell?.querySelector("progress");
  if (cell) cell.dataset["level"] = level(value);
  if (words) words.textContent = formatFigure(value, "1");
  if (bar) bar.value = Math.min(1, value ?? 0);
}

customElements.define("pudim-server-list", ServerList);
