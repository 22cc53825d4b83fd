// <pudim-passkey post="/path" kind="get|create" next="/path">: its button asks the server for options, the browser's
// authenticator for an answer, and the server what it makes of that.

type Options = Record<string, unknown>;
interface Descriptor extends Options {
  id: string;
}

class Passkey extends HTMLElement {
  connectedCallback(): void {
    this.hidden = !("PublicKeyCredential" in globalThis);
    this.querySelector("button")?.addEventListener("click", () => void this.run());
  }

  private async run(): Promise<void> {
    this.say("");
    try {
      const options = await post(`${this.asked("post")}/options`, {});
      const answer = this.asked("kind") === "create" ? await this.create(options) : await this.use(options);
      const entered = await post(this.asked("post"), answer);
      location.assign(String(entered["location"]));
    } catch (failure) {
      if (failure instanceof Refused && failure.code === "sudo_needed") return prove();
      this.say(words(failure));
    }
  }

  private async create(options: Options): Promise<Options> {
    const user = options["user"] as Descriptor;
    const publicKey = {
      ...options,
      challenge: bytes(String(options["challenge"])),
      user: { ...user, id: bytes(user.id) },
      excludeCredentials: descriptors(options["excludeCredentials"]),
    } as unknown as PublicKeyCredentialCreationOptions;
    const made = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential;
    const response = made.response as AuthenticatorAttestationResponse;
    const name = this.querySelector("input")?.value ?? "";
    return {
      ...identity(made),
      name,
      response: { clientDataJSON: text(response.clientDataJSON), attestationObject: text(response.attestationObject) },
    };
  }

  private async use(options: Options): Promise<Options> {
    const publicKey = {
      ...options,
      challenge: bytes(String(options["challenge"])),
      allowCredentials: descriptors(options["allowCredentials"]),
    } as unknown as PublicKeyCredentialRequestOptions;
    const shown = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
    const response = shown.response as AuthenticatorAssertionResponse;
    return {
      ...identity(shown),
      next: this.asked("next"),
      response: {
        clientDataJSON: text(response.clientDataJSON),
        authenticatorData: text(response.authenticatorData),
        signature: text(response.signature),
        userHandle: response.userHandle ? text(response.userHandle) : null,
      },
    };
  }

  private asked(name: string): string {
    return this.getAttribute(name) ?? "";
  }

  private say(note: string): void {
    const place = this.querySelector("[data-part=note]");
    if (place) place.textContent = note;
  }
}

async function post(path: string, content: Options): Promise<Options> {
  const token = document.querySelector<HTMLMetaElement>("meta[name=csrf-token]")?.content ?? "";
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": token },
    body: JSON.stringify(content),
  });
  const said = (await answer.json()) as Options;
  if (!answer.ok) throw new Refused(said);
  return said;
}

class Refused extends Error {
  readonly code: string;

  constructor(problem: Options) {
    super(`${String(problem["detail"] ?? "")} ${String(problem["hint"] ?? "")}`.trim());
    this.code = String(problem["code"] ?? "");
  }
}

// As the server leads there from a form, and from there back to this page.
function prove(): void {
  location.assign(`/account/prove?next=${encodeURIComponent(location.pathname)}`);
}

// The browser names what went wrong; what it says of it is for programmers.
function words(failure: unknown): string {
  if (!(failure instanceof DOMException)) return failure instanceof Error ? failure.message : String(failure);
  if (failure.name === "InvalidStateError") return "This device has a passkey for your account already.";
  if (failure.name === "SecurityError") return "The browser offers no passkeys under this address.";
  return "No passkey was used. Try again, or use another way.";
}

function identity(credential: PublicKeyCredential): Options {
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type };
}

function descriptors(listed: unknown): unknown[] {
  return ((listed ?? []) as Descriptor[]).map((one) => ({ ...one, id: bytes(one.id) }));
}

// base64url, as WebAuthn writes bytes in JSON.
function bytes(encoded: string): Uint8Array<ArrayBuffer> {
  const plain = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

function text(buffer: ArrayBuffer): string {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

customElements.define("pudim-passkey", Passkey);
