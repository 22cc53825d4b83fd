// What scripts say by themselves, in the language and time zone of the page that they run in.

/** Translations by their English message; of one with a plural, all forms. */
export type Words = Readonly<Record<string, string | readonly string[]>>;

export interface Reader {
  readonly language: string;
  /** Undefined is the browser's own. */
  readonly zone: string | undefined;
  readonly words: Words;
  /** Which form stands for 0, 1, 2 ... 199; later ones are as a hundred before. Empty is English. */
  readonly plurals: string;
}

export type Values = Readonly<Record<string, string | number>>;

const ENGLISH: Reader = { language: "en", zone: undefined, words: {}, plurals: "" };
let reader = ENGLISH;
let point = ".";
let clock: Intl.DateTimeFormat;
let months: string[];

/** Speak so from now on; pages call it once. */
export function become(chosen: Partial<Reader>): void {
  reader = { ...ENGLISH, ...chosen };
  const { language, zone } = reader;
  point = new Intl.NumberFormat(language).formatToParts(1.5).find(({ type }) => type === "decimal")?.value ?? ".";
  const numeric = { hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" } as const;
  clock = new Intl.DateTimeFormat("en", { ...numeric, ...(zone ? { timeZone: zone } : {}) });
  const name = new Intl.DateTimeFormat(language, { month: "short", timeZone: "UTC" });
  months = Array.from({ length: 12 }, (_, month) => name.format(Date.UTC(2026, month, 15)).replace(".", ""));
}

become({});

/** A message in the page's language, with its %(values)s. */
export function t(message: string, values: Values = {}): string {
  const found = reader.words[message];
  return filled(typeof found === "string" ? found : message, values);
}

/** A message that depends on a count, which it may name as %(count)s. */
export function many(one: string, several: string, count: number, values: Values = {}): string {
  const forms = reader.words[one];
  const whole = Math.abs(Math.floor(count));
  const form = Number(reader.plurals[whole < 200 ? whole : 100 + (whole % 100)] ?? (whole === 1 ? 0 : 1));
  const found = Array.isArray(forms) ? forms[form] : undefined;
  return filled(found ?? (whole === 1 ? one : several), { count, ...values });
}

function filled(message: string, values: Values): string {
  return message.replace(/%\((\w+)\)s/g, (_, name: string) => String(values[name] ?? ""));
}

/** A figure that is written with a point, as the page's language writes it. */
export function figure(text: string): string {
  return point === "." ? text : text.replace(".", point);
}

export interface Local {
  readonly year: number;
  readonly month: string;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Where the hands stand in the page's zone; `time` in Unix seconds. */
export function local(time: number): Local {
  const parts: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {};
  for (const { type, value } of clock.formatToParts(time * 1000)) parts[type] = value;
  const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts[type] ?? 0);
  return {
    year: number("year"),
    month: months[number("month") - 1] ?? "",
    day: number("day"),
    hour: number("hour"),
    minute: number("minute"),
    second: number("second"),
  };
}

/** The zone that was chosen, by its name; "" for the browser's own. */
export function zoneName(): string {
  return reader.zone ?? "";
}
