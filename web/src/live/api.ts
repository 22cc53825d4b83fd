// Speaks to the collector's JSON API in the name of the signed-in person.
import type { Labels } from "../pure/labels";
import type { Columns } from "../pure/series";
import type { Sign } from "../pure/signs";
import type { Figure } from "../pure/units";

export interface Server {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly last_seen_at: string | null;
  readonly cpu: Figure;
  readonly memory: Figure;
  readonly disk: Figure;
  readonly signs: Readonly<Record<string, Sign>>;
}

export interface SeriesAnswer {
  readonly metric: string;
  readonly unit: string;
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly series: readonly (Columns & { readonly server: string; readonly labels: Labels })[];
}

export interface SeriesQuestion {
  readonly metric: string;
  readonly servers: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly points: number;
}

/** The collector said no, in the words of its problem details. */
export class RequestFailed extends Error {
  override readonly name = "RequestFailed";
}

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

export async function getJson<Answer>(path: string, signal?: AbortSignal): Promise<Answer> {
  const response = await fetch(path, { headers: { Accept: "application/json" }, signal: signal ?? null });
  if (!response.ok) throw new RequestFailed(await reason(response));
  return (await response.json()) as Answer;
}

/** All items of a list, page after page. */
export async function getAll<Item>(path: string): Promise<Item[]> {
  const items: Item[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Page<Item> = await getJson(`${path}?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

export function getSeries(question: SeriesQuestion, signal?: AbortSignal): Promise<SeriesAnswer> {
  const query = new URLSearchParams({
    metric: question.metric,
    from: question.from,
    to: question.to,
    points: String(question.points),
  });
  for (const server of question.servers) query.append("server", server);
  return getJson(`/api/v2/series?${query}`, signal);
}

async function reason(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { title?: string; detail?: string };
    return problem.detail || problem.title || `status ${response.status}`;
  } catch {
    return `status ${response.status}`;
  }
}
