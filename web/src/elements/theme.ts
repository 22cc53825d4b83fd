// <pudim-theme>: the choice between automatic, light and dark, kept in this browser.

const KEY = "pudim-theme";

class ThemeChoice extends HTMLElement {
  connectedCallback(): void {
    this.addEventListener("click", (event) => {
      const button = (event.target as Element).closest<HTMLButtonElement>("button[value]");
      if (button) this.choose(button.value);
    });
    this.show(localStorage.getItem(KEY) ?? "auto");
    this.hidden = false;
  }

  private choose(theme: string): void {
    localStorage.setItem(KEY, theme);
    dispatchEvent(new Event("pudim-theme"));
    this.show(theme);
  }

  private show(theme: string): void {
    for (const button of this.querySelectorAll<HTMLButtonElement>("button[value]"))
      button.setAttribute("aria-pressed", String(button.value === theme));
  }
}

customElements.define("pudim-theme", ThemeChoice);
