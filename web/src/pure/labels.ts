// Chooses series by their labels and names them by the labels in which they differ.

export type Labels = Readonly<Record<string, string>>;
export type LabelTest = (labels: Labels) => boolean;

/** Every series that another program brought carries it; an agent's never do. */
const SENDER = "pudim.sender";

/** Whether it was brought by another program: what that says of a host must not pass for what its agent measured. */
export function fromOutside(labels: Labels): boolean {
  return SENDER in labels;
}

/** "cpu.mode" (has it), "!cpu.mode" (has it not), "kind=some", "cpu.mode!=idle"; a comma means "and".
    Series from outside are chosen by a filter that names their label alone. */
export function parseFilter(text: string): LabelTest {
  const tests = text
    .split(",")
    .map((term) => term.trim())
    .filter(Boolean)
    .map(parseTerm);
  const outside = text.includes(SENDER);
  return (labels) => (outside || !fromOutside(labels)) && tests.every((test) => test(labels));
}

function parseTerm(term: string): LabelTest {
  const unequal = term.indexOf("!=");
  if (unequal > 0) return (labels) => labels[term.slice(0, unequal)] !== term.slice(unequal + 2);
  const equal = term.indexOf("=");
  if (equal > 0) return (labels) => labels[term.slice(0, equal)] === term.slice(equal + 1);
  if (term.startsWith("!")) return (labels) => !(term.slice(1) in labels);
  return (labels) => term in labels;
}

/** One key for a metric with its labels, whatever order they came in. */
export function seriesKey(metric: string, labels: Labels): string {
  return JSON.stringify([metric, ...Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/** A short name for each: the values of the labels that are not the same for all, or "" when all are. */
export function distinctNames(all: readonly Labels[]): string[] {
  const keys = [...new Set(all.flatMap((labels) => Object.keys(labels)))];
  const telling = keys.filter((key) => new Set(all.map((labels) => labels[key])).size > 1);
  const enough = telling.filter((key) => !telling.some((other) => other !== key && implies(all, other, key, telling)));
  return all.map((labels) => enough.flatMap((key) => labels[key] ?? []).join(" "));
}

// A label that another one decides (the device of a mount point) says nothing more. Of two that decide
// each other the first stays.
function implies(all: readonly Labels[], cause: string, effect: string, order: readonly string[]): boolean {
  const decided = decides(all, cause, effect);
  return decided && (!decides(all, effect, cause) || order.indexOf(cause) < order.indexOf(effect));
}

function decides(all: readonly Labels[], cause: string, effect: string): boolean {
  const seen = new Map<string | undefined, string | undefined>();
  return all.every((labels) => {
    const known = seen.has(labels[cause]) ? seen.get(labels[cause]) : labels[effect];
    seen.set(labels[cause], known);
    return known === labels[effect];
  });
}
