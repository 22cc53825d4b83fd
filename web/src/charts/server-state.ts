// <pudim-server-state>: the state of the page's server, as the collector judges it.
import { getJson, type Server } from "../live/api";
import { stateWord } from "../pure/states";

const POLL_MS = 5_000;

class ServerState extends HTMLElement {
  private timer: number | undefined;

  connectedCallback(): void {
    this.timer = window.setInterval(() => document.hidden || void this.look(), POLL_MS);
  }

  disconnectedCallback(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const id = encodeURIComponent(this.getAttribute("server") ?? "");
    const server = await getJson<Server>(`/api/v2/servers/${id}`).catch(() => undefined);
    if (server) this.show(server);
  }

  private show(server: Server): void {
    this.dataset["state"] = server.state;
    const word = this.querySelector("[data-state-word]");
    if (word && word.textContent !== stateWord(server.state)) word.textContent = stateWord(server.state);
    if (server.last_seen_at) this.querySelector("pudim-ago")?.setAttribute("datetime", server.last_seen_at);
  }
}

customElements.define("pudim-server-state", ServerState);
