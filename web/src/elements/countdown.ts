// <pudim-countdown until="...">: the time left, then the words of its `over` attribute.
import { t } from "../pure/language";
import { everySecond } from "../live/ticker";

class Countdown extends HTMLElement {
  private stop: (() => void) | undefined;

  connectedCallback(): void {
    this.stop = everySecond((now) => this.show(now));
    this.show(Date.now() / 1000);
  }

  disconnectedCallback(): void {
    this.stop?.();
  }

  private show(now: number): void {
    const left = Date.parse(this.getAttribute("until") ?? "") / 1000 - now;
    if (!Number.isFinite(left)) return;
    this.textContent = left > 0 ? spell(left) : (this.getAttribute("over") ?? t("expired"));
    this.classList.toggle("is-over", left <= 0);
    if (left <= 0) this.stop?.();
  }
}

function spell(seconds: number): string {
  if (seconds >= 3_600) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

customElements.define("pudim-countdown", Countdown);
