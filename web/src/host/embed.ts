// <pudim-embed>: shows the cards of the page that its link leads to, in place of the link, once it comes into view.
import { whenSeen } from "../live/seen";

class Embed extends HTMLElement {
  private forget: (() => void) | undefined;

  connectedCallback(): void {
    this.forget = whenSeen(this, () => void this.load());
  }

  disconnectedCallback(): void {
    this.forget?.();
  }

  private async load(): Promise<void> {
    const place = this.querySelector("[data-embed]");
    const link = this.querySelector<HTMLAnchorElement>("a[href]");
    if (!place || !link) return;
    const response = await fetch(link.href, { headers: { Accept: "text/html" } }).catch(() => undefined);
    if (!response?.ok) return; // the link still leads there
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const cards = [...page.querySelectorAll("main#content .card:not(.card .card)")];
    if (cards.length) place.replaceChildren(...cards.map((card) => document.adoptNode(card)));
  }
}

customElements.define("pudim-embed", Embed);
