// <pudim-await-server>: waits until a server that was not there before is live, and links to it.
import { getAll, type Server } from "../live/api";

const POLL_MS = 2_000;

class AwaitServer extends HTMLElement {
  private earlier: Set<string> | undefined;
  private timer: number | undefined;

  connectedCallback(): void {
    this.hidden = false;
    void this.look();
  }

  disconnectedCallback(): void {
    clearTimeout(this.timer);
  }

  private async look(): Promise<void> {
    const found = document.hidden ? undefined : await this.newcomer().catch(() => undefined);
    if (found) this.show(found);
    else if (this.isConnected) this.timer = window.setTimeout(() => void this.look(), POLL_MS);
  }

  private async newcomer(): Promise<Server | undefined> {
    const items = await getAll<Server>("/api/v2/servers");
    this.earlier ??= new Set(items.filter((server) => server.state === "live").map((server) => server.id));
    const { earlier } = this;
    return items.find((server) => server.state === "live" && !earlier?.has(server.id));
  }

  private show(server: Server): void {
    const waiting = this.querySelector<HTMLElement>("[data-waiting]");
    const arrived = this.querySelector<HTMLElement>("[data-arrived]");
    const link = this.querySelector<HTMLAnchorElement>("a");
    const name = this.querySelector("[data-name]");
    if (waiting) waiting.hidden = true;
    if (arrived) arrived.hidden = false;
    if (name) name.textContent = server.name;
    if (link) link.href = `/servers/${encodeURIComponent(server.id)}`;
    link?.focus();
  }
}

customElements.define("pudim-await-server", AwaitServer);
