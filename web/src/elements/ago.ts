// <pudim-ago datetime="...">: how long ago, kept true while the page is open; without script, the time itself.
import { ago, countdown, moment } from "../pure/clock";
import { t, zoneName } from "../pure/language";
import { everySecond } from "../live/ticker";

class Ago extends HTMLElement {
  static readonly observedAttributes = ["datetime"];
  private stop: (() => void) | undefined;

  connectedCallback(): void {
    this.stop = everySecond((now) => this.show(now));
    this.show(Date.now() / 1000);
  }

  disconnectedCallback(): void {
    this.stop?.();
  }

  attributeChangedCallback(): void {
    if (this.stop) this.show(Date.now() / 1000);
  }

  private show(now: number): void {
    const then = Date.parse(this.getAttribute("datetime") ?? "") / 1000;
    if (!Number.isFinite(then)) return;
    const words = then > now + 60 ? t("in %(time)s", { time: countdown(then - now) }) : ago(then, now);
    if (this.textContent !== words) this.textContent = words;
    this.title = [moment(then, Infinity), zoneName()].filter(Boolean).join(" ");
  }
}

customElements.define("pudim-ago", Ago);
