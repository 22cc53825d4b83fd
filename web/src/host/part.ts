// <pudim-host-part>: one part of a server's page that an agent tells: sorted, filtered, and renewed in place.
import { fits, ordered, type Way } from "../pure/rows";

interface Order {
  readonly column: number;
  readonly turned: boolean;
}

const RENEW_MS = 3_000;

export class HostPart extends HTMLElement {
  private orders = new Map<number, Order>();
  private renewing = false;
  private renewedAt = 0;
  private wanted: string | undefined;

  connectedCallback(): void {
    this.addEventListener("click", (event) => this.onClick(event));
    const filter = this.querySelector<HTMLElement>("[data-part-filter]");
    if (filter) filter.hidden = false;
    filter?.addEventListener("input", () => this.filter());
    this.prepare();
  }

  /** The collector has heard of this part at that time. */
  hear(received: string | undefined): void {
    if (!received || Date.parse(received) <= Date.parse(this.dataset["received"] || "1970-01-01")) return;
    this.wanted = received;
    if (!this.renewing) void this.renew();
  }

  private async renew(): Promise<void> {
    this.renewing = true;
    while (this.wanted !== undefined) {
      this.wanted = undefined;
      const wait = this.renewedAt + RENEW_MS - Date.now();
      if (wait > 0) await new Promise((done) => setTimeout(done, wait));
      this.renewedAt = Date.now();
      await this.fetch().catch(() => undefined); // the next word brings it
    }
    this.renewing = false;
  }

  private async fetch(): Promise<void> {
    const { partOf = "", name = "" } = this.dataset;
    const path = `/servers/${encodeURIComponent(partOf)}/parts/${encodeURIComponent(name)}`;
    const response = await fetch(path, { headers: { Accept: "text/html" } });
    if (!response.ok) return;
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector<HTMLElement>("pudim-host-part");
    if (fresh) this.take(fresh);
  }

  // Rows in which somebody looks at a chart, and what has the focus, stay what they are.
  private take(fresh: HTMLElement): void {
    this.dataset["received"] = fresh.dataset["received"] ?? "";
    const open = new Set([...this.querySelectorAll<HTMLDetailsElement>("details[open]")].map((one) => one.dataset["key"]));
    const shut = new Set([...this.querySelectorAll<HTMLDetailsElement>("details:not([open])")].map((one) => one.dataset["key"]));
    const charts = new Map([...this.querySelectorAll<HTMLElement>("tr.more")].map((row) => [row.dataset["of"], row]));
    for (const name of ["[data-part-head]", "[data-part-body]"]) {
      const [before, after] = [this.querySelector(name), fresh.querySelector(name)];
      if (!before || !after || before.innerHTML === after.innerHTML) continue;
      before.className = after.className;
      before.replaceChildren(...[...after.childNodes].map((node) => document.adoptNode(node)));
    }
    for (const one of this.querySelectorAll<HTMLDetailsElement>("details[data-key]")) {
      if (open.has(one.dataset["key"])) one.open = true;
      if (shut.has(one.dataset["key"])) one.open = false;
    }
    this.prepare();
    for (const row of this.rows()) {
      const chart = charts.get(row.dataset["key"]);
      if (chart) this.place(row, chart);
    }
  }

  /** What only script can do: headings that sort, names that open a chart. */
  private prepare(): void {
    for (const [number, table] of this.tables().entries()) {
      for (const [column, cell] of [...table.querySelectorAll<HTMLElement>("th[data-sort]")].entries()) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "sorter";
        button.dataset["column"] = String(column);
        button.append(...cell.childNodes);
        cell.replaceChildren(button);
      }
      this.sort(number);
    }
    if (this.querySelector("template[data-more]"))
      for (const row of this.rows()) {
        const place = row.querySelector("[data-more-here]");
        if (!place) continue;
        const button = document.createElement("button");
        button.type = "button";
        button.className = "opener";
        button.setAttribute("aria-expanded", "false");
        button.append(...place.childNodes);
        place.replaceChildren(button);
      }
    this.filter();
  }

  private tables(): HTMLTableElement[] {
    return [...this.querySelectorAll<HTMLTableElement>("table[data-sortable]")];
  }

  private rows(): HTMLTableRowElement[] {
    return [...this.querySelectorAll<HTMLTableRowElement>("table[data-sortable] > tbody > tr[data-key]")];
  }

  private onClick(event: MouseEvent): void {
    const button = (event.target as Element).closest("button");
    if (button?.matches(".sorter")) this.turn(button);
    if (button?.matches(".opener")) this.toggle(button);
  }

  private turn(button: HTMLElement): void {
    const number = this.tables().findIndex((table) => table.contains(button));
    const column = Number(button.dataset["column"]);
    const before = this.orders.get(number);
    this.orders.set(number, { column, turned: before?.column === column && !before.turned });
    this.sort(number);
  }

  private sort(number: number): void {
    const table = this.tables()[number];
    const order = this.orders.get(number);
    const body = table?.tBodies[0];
    if (!table || !order || !body) return;
    const heads = [...table.querySelectorAll<HTMLElement>("th[data-sort]")];
    const way = (heads[order.column]?.dataset["sort"] ?? "text") as Way;
    const down = (way === "number") !== order.turned;
    for (const [column, head] of heads.entries())
      if (column === order.column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    const rows = [...body.querySelectorAll<HTMLTableRowElement>(":scope > tr[data-key]")];
    const charts = new Map([...body.querySelectorAll<HTMLElement>(":scope > tr.more")].map((row) => [row.dataset["of"], row]));
    const sorted = ordered(rows, (row) => row.cells[order.column]?.dataset["value"] ?? "", way, order.turned);
    body.append(...sorted.flatMap((row) => [row, charts.get(row.dataset["key"]) ?? []].flat()));
  }

  private filter(): void {
    const wanted = this.querySelector<HTMLInputElement>("[data-part-filter] input")?.value.trim() ?? "";
    const rows = this.rows();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !fits(row.dataset["text"] ?? "", wanted);
      shown += row.hidden ? 0 : 1;
    }
    for (const row of this.querySelectorAll<HTMLElement>("tr.more"))
      row.hidden = rows.find((one) => one.dataset["key"] === row.dataset["of"])?.hidden ?? true;
    if (wanted) for (const rest of this.querySelectorAll<HTMLDetailsElement>("details.part-rest")) rest.open = true;
    const none = this.querySelector<HTMLElement>("[data-none]");
    if (none) none.hidden = shown > 0 || rows.length === 0;
  }

  private toggle(button: HTMLElement): void {
    const row = button.closest<HTMLTableRowElement>("tr[data-key]");
    const template = this.querySelector<HTMLTemplateElement>("template[data-more]");
    if (!row || !template) return;
    const open = row.nextElementSibling;
    if (open?.matches("tr.more")) {
      open.remove();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    const more = document.createElement("tr");
    more.className = "more";
    more.dataset["of"] = row.dataset["key"] ?? "";
    const cell = more.insertCell();
    cell.colSpan = row.cells.length;
    const filter = row.dataset["series"] ?? "";
    const chart = template.content.cloneNode(true) as DocumentFragment;
    for (const one of chart.querySelectorAll("pudim-chart")) one.setAttribute("label-filter", filter);
    for (const one of chart.querySelectorAll<HTMLElement>("button[data-metric]")) one.setAttribute("data-label-filter", filter);
    cell.append(chart);
    this.place(row, more);
  }

  private place(row: HTMLElement, more: HTMLElement): void {
    row.after(more);
    row.querySelector(".opener")?.setAttribute("aria-expanded", "true");
  }
}

customElements.define("pudim-host-part", HostPart);
