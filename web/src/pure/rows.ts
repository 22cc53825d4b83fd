// The order of a table's rows by what stands in one column, and which of them a filter shows.

export type Way = "text" | "number";

/** Largest numbers first, texts from A to Z, empty ones last; `turned` is the other way round. */
export function ordered<Row>(rows: readonly Row[], valueOf: (row: Row) => string, way: Way, turned: boolean): Row[] {
  const sign = turned ? -1 : 1;
  const compare = way === "number" ? byNumber : byText;
  return rows.toSorted((a, b) => {
    const [one, other] = [valueOf(a), valueOf(b)];
    if (one === "" || other === "") return Number(one === "") - Number(other === "");
    return sign * compare(one, other);
  });
}

/** Whether all words of `wanted` are in `text`. */
export function fits(text: string, wanted: string): boolean {
  const found = text.toLowerCase();
  return wanted.toLowerCase().split(/\s+/).every((word) => found.includes(word));
}

function byNumber(a: string, b: string): number {
  return Number(b) - Number(a);
}

function byText(a: string, b: string): number {
  return a.localeCompare(b, undefined, { numeric: true });
}
