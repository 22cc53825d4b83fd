// Colours for lines: told apart by people with any colour vision (after Okabe and Ito), calm on both themes.

const LIGHT = ["#2f74b5", "#d98a1f", "#14957a", "#b8659a", "#5aa9dc", "#c6532a", "#8f8413", "#6d5fb0", "#6b7785"];
const DARK = ["#5aa7e6", "#e8a94a", "#3fc2a0", "#dc93c2", "#97d0f3", "#ee8560", "#cfc354", "#a598e8", "#93a1b1"];
const CHROME = {
  light: { text: "#666666", grid: "#ececec", muted: "#bdbdbd" },
  dark: { text: "#a3a3a3", grid: "#343434", muted: "#6b6b6b" },
};

export function isDark(): boolean {
  return document.documentElement.getAttribute("data-bs-theme") === "dark";
}

/** The colour of the line in that place; -1 is for what only fills up, like free memory. */
export function colour(place: number): string {
  const palette = isDark() ? DARK : LIGHT;
  return place < 0 ? chrome("muted") : (palette[place % palette.length] ?? "#888");
}

export function chrome(part: "text" | "grid" | "muted"): string {
  return CHROME[isDark() ? "dark" : "light"][part];
}

export function faded(hex: string, opacity: number): string {
  return `${hex}${Math.round(opacity * 255).toString(16).padStart(2, "0")}`;
}

/** Gives each series a place in the palette and lets it keep it while the page is open. */
export class Places {
  private readonly places = new Map<string, number>();

  assign(keys: readonly string[]): number[] {
    for (const key of this.places.keys()) if (!keys.includes(key)) this.places.delete(key);
    const taken = new Set(this.places.values());
    for (const key of keys) {
      if (this.places.has(key)) continue;
      let place = 0;
      while (taken.has(place)) place += 1;
      taken.add(place);
      this.places.set(key, place);
    }
    return keys.map((key) => this.places.get(key) ?? 0);
  }
}
