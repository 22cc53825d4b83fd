// What all charts of a page share: the stretch of time, whether it moves on, and the server's idea of now.
import { bounds, type Preset, PRESETS, queryOf, type Range, rangeOf } from "../pure/ranges";

const FALLBACK: Preset = "15m";
const LONG_AWAY = 10; // seconds

/** Emits "range" when charts must load again and "pause" when they only stop. */
class Page extends EventTarget {
  range: Range = rangeOf(new URLSearchParams(location.search), FALLBACK);
  live = true;
  /** The stretch shown in the address before the first zoom, to come back to. */
  private home: Range = "last" in this.range ? this.range : { last: FALLBACK };
  private ahead = 0;
  private frozen = 0;

  /** Now by the server's clock, in Unix seconds; stands still while the page is paused. */
  now(): number {
    return this.live ? Date.now() / 1000 + this.ahead : this.frozen;
  }

  setClock(serverNow: number): void {
    this.ahead = serverNow - Date.now() / 1000;
  }

  bounds(): { from: number; to: number } {
    return bounds(this.range, this.now());
  }

  /** True when new samples belong on the charts. */
  get moving(): boolean {
    return this.live && "last" in this.range;
  }

  show(range: Range): void {
    if ("last" in range) this.home = range;
    this.range = range;
    history.pushState(null, "", `?${queryOf(range)}`);
    this.dispatchEvent(new Event("range"));
  }

  reset(): void {
    if (!("last" in this.range)) this.show(this.home);
  }

  setLive(live: boolean): void {
    this.frozen = this.now();
    this.live = live;
    if (!live) this.dispatchEvent(new Event("pause"));
    else if ("last" in this.range) this.dispatchEvent(new Event("range"));
    else this.show(this.home);
  }

  /** After a while without live samples the store knows more than the charts. */
  refresh(awaySeconds: number): void {
    if (this.moving && awaySeconds >= LONG_AWAY) this.dispatchEvent(new Event("range"));
  }

  /** Reads the address again after Back or Forward. */
  follow(): void {
    const range = rangeOf(new URLSearchParams(location.search), FALLBACK);
    if (queryOf(range) === queryOf(this.range)) return; // only another part of the page was gone to
    this.range = range;
    this.dispatchEvent(new Event("range"));
  }
}

export const page = new Page();
export const presets = PRESETS;

addEventListener("popstate", () => page.follow());
addEventListener("keydown", (event) => {
  const typing = (event.target as Element).closest?.("input, textarea, select, dialog, [popover]");
  if (event.key === "Escape" && !typing) page.reset();
});
