// <pudim-choice for="id" label="Search" hidden>: a field that leaves of a long select only what holds the words typed.

class Choice extends HTMLElement {
  connectedCallback(): void {
    const select = document.getElementById(this.getAttribute("for") ?? "");
    if (!(select instanceof HTMLSelectElement) || this.firstChild) return;
    const field = document.createElement("input");
    field.type = "search";
    field.className = "form-control";
    field.placeholder = this.getAttribute("label") ?? "";
    field.setAttribute("aria-label", field.placeholder);
    field.setAttribute("aria-controls", select.id);
    field.addEventListener("input", () => narrow(select, field.value));
    this.append(field);
    this.hidden = false;
  }
}

/** What is chosen already stays, as long as it fits. */
function narrow(select: HTMLSelectElement, typed: string): void {
  const words = typed.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fits = (option: HTMLOptionElement) =>
    words.every((word) => option.text.toLocaleLowerCase().includes(word));
  for (const option of select.options) option.hidden = option.disabled = !fits(option);
  for (const group of select.querySelectorAll("optgroup"))
    group.hidden = [...group.querySelectorAll("option")].every((option) => option.hidden);
  if (select.selectedOptions[0]?.disabled ?? true)
    select.value = [...select.options].find((option) => !option.disabled)?.value ?? "";
}

customElements.define("pudim-choice", Choice);
export {};
