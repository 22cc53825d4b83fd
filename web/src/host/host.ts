// <pudim-host>: renews the parts of a server's page when its agent says something new.
import { Stream } from "../live/stream";
import type { HostPart } from "./part";

type Heads = Readonly<Record<string, string>>;

class Host extends HTMLElement {
  private stream: Stream | undefined;

  connectedCallback(): void {
    const path = `/live/servers/${encodeURIComponent(this.getAttribute("server") ?? "")}/notices`;
    this.stream = new Stream(path, { notices: (heads) => this.hear(heads as Heads) });
    this.stream.open();
  }

  disconnectedCallback(): void {
    this.stream?.close();
  }

  private hear(heads: Heads): void {
    for (const part of this.querySelectorAll<HostPart>("pudim-host-part")) part.hear(heads[part.dataset["name"] ?? ""]);
  }
}

customElements.define("pudim-host", Host);
