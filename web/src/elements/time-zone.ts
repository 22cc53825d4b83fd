// <pudim-time-zone for="id">: offers the browser's own zone to that choice of zones, where it is another one.

class TimeZone extends HTMLElement {
  connectedCallback(): void {
    const choice = document.getElementById(this.getAttribute("for") ?? "");
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const button = this.querySelector("button");
    const name = this.querySelector("[data-browser-zone]");
    if (!(choice instanceof HTMLSelectElement) || !button || !name) return;
    const known = [...choice.options].some((option) => option.value === zone);
    this.hidden = !known || choice.value === zone;
    name.textContent = zone;
    button.addEventListener("click", () => {
      choice.value = zone;
      choice.focus();
      this.hidden = true;
    });
  }
}

customElements.define("pudim-time-zone", TimeZone);
export {};
