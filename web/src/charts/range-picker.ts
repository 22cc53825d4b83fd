// <pudim-range>: the links to stretches of time, and the live switch, for all charts of the page.
import { moment } from "../pure/clock";
import { local, t } from "../pure/language";
import type { Preset } from "../pure/ranges";
import { feedOf } from "./feed";
import { page, presets } from "./page";

class RangePicker extends HTMLElement {
  private readonly onRange = (): void => this.show();

  connectedCallback(): void {
    const feed = feedOf(this.getAttribute("server") ?? "");
    for (const event of ["range", "pause"]) page.addEventListener(event, this.onRange);
    feed.addEventListener("condition", this.onRange);
    this.addEventListener("click", (event) => this.onClick(event));
    this.show();
  }

  disconnectedCallback(): void {
    for (const event of ["range", "pause"]) page.removeEventListener(event, this.onRange);
  }

  private onClick(event: MouseEvent): void {
    const target = event.target as Element;
    const preset = target.closest<HTMLElement>("a[data-range]")?.dataset["range"];
    const plain = !event.metaKey && !event.ctrlKey && !event.shiftKey;
    if (preset && isPreset(preset) && plain) {
      event.preventDefault();
      page.show({ last: preset });
    }
    if (target.closest("[data-part=live]")) page.setLive(!page.moving);
    if (target.closest("[data-part=reset]")) page.reset();
  }

  private show(): void {
    const { range } = page;
    for (const link of this.querySelectorAll<HTMLElement>("a[data-range]"))
      if ("last" in range && link.dataset["range"] === range.last) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    const zoom = this.querySelector<HTMLElement>("[data-part=zoom]");
    const text = this.querySelector<HTMLElement>("[data-part=zoom-text]");
    if (zoom) zoom.hidden = "last" in range;
    if (text && !("last" in range)) text.textContent = `${moment(range.from, span(range))} – ${moment(range.to, span(range))}`;
    this.showLive();
  }

  private showLive(): void {
    const button = this.querySelector<HTMLElement>("[data-part=live]");
    const words = button?.querySelector("[data-part=live-text]");
    const connected = feedOf(this.getAttribute("server") ?? "").condition === "open";
    if (!button || !words) return;
    button.hidden = false;
    button.setAttribute("aria-pressed", String(page.moving));
    button.dataset["connected"] = String(connected);
    words.textContent = !page.moving ? t("Paused") : connected ? t("Following") : t("Connecting");
  }
}

// A zoom from another day says which.
function span({ from, to }: { from: number; to: number }): number {
  const [then, now] = [local(from), local(Date.now() / 1000)];
  const today = then.day === now.day && then.month === now.month && then.year === now.year;
  return today ? to - from : Math.max(to - from, 86_401);
}

function isPreset(text: string): text is Preset {
  return (presets as readonly string[]).includes(text);
}

customElements.define("pudim-range", RangePicker);
