// <pudim-copy for="id">: a button inside copies the text of that element, also on plain HTTP.

const SHOWN_MS = 2_000;

class Copy extends HTMLElement {
  connectedCallback(): void {
    this.hidden = false;
    this.querySelector("button")?.addEventListener("click", () => void this.copy());
  }

  private async copy(): Promise<void> {
    const source = document.getElementById(this.getAttribute("for") ?? "");
    if (!source) return;
    const text = source instanceof HTMLInputElement ? source.value : (source.textContent ?? "").trim();
    this.say((await put(text, source)) ? "copied" : "select");
  }

  private say(state: string): void {
    this.dataset["state"] = state;
    setTimeout(() => delete this.dataset["state"], SHOWN_MS);
  }
}

// The clipboard exists only on HTTPS and localhost; elsewhere the old command still works. Handing over the
// text ourselves keeps the browser from copying the styles along, which the page's policy would stop.
async function put(text: string, source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    document.addEventListener("copy", (event) => give(event, text), { once: true });
    return document.execCommand("copy");
  }
}

function give(event: ClipboardEvent, text: string): void {
  event.clipboardData?.setData("text/plain", text);
  event.preventDefault();
}

customElements.define("pudim-copy", Copy);
