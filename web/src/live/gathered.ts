// Series that several charts ask for at once, over the same stretch, come in one answer.
import { getJson, getSeries, type SeriesAnswer, type SeriesQuestion } from "./api";

interface ChartsAnswer extends Omit<SeriesAnswer, "metric" | "unit" | "series"> {
  readonly metrics: readonly Pick<SeriesAnswer, "metric" | "unit" | "series">[];
}

interface Wish {
  readonly question: SeriesQuestion;
  readonly signal: AbortSignal;
  readonly deliver: (answer: SeriesAnswer) => void;
  readonly fail: (error: unknown) => void;
}

const MOST_METRICS = 100;
let wishes: Wish[] = [];

/** As getSeries; what is asked for in one turn of the page becomes as few requests as it can be. */
export function gatherSeries(question: SeriesQuestion, signal: AbortSignal): Promise<SeriesAnswer> {
  return new Promise((deliver, fail) => {
    if (wishes.length === 0) setTimeout(fetchAll, 0);
    wishes.push({ question, signal, deliver, fail });
  });
}

function fetchAll(): void {
  const alike = new Map<string, Wish[]>();
  for (const wish of wishes) {
    const { servers, from, to, points } = wish.question;
    const key = JSON.stringify([servers, from, to, points]);
    alike.set(key, [...(alike.get(key) ?? []), wish]);
  }
  wishes = [];
  for (const group of alike.values())
    for (let start = 0; start < group.length; start += MOST_METRICS) void fetchSome(group.slice(start, start + MOST_METRICS));
}

async function fetchSome(some: readonly Wish[]): Promise<void> {
  const [first] = some;
  if (!first) return;
  if (some.length === 1) return alone(first);
  try {
    const answer = await getCharts(first, some);
    const found = new Map(answer.metrics.map((one) => [one.metric, one]));
    for (const { question, deliver } of some)
      deliver({ ...answer, ...(found.get(question.metric) ?? { metric: question.metric, unit: "", series: [] }) });
  } catch {
    // What is wrong with one of them must not empty the others.
    for (const wish of some) void alone(wish);
  }
}

function alone({ question, signal, deliver, fail }: Wish): Promise<void> {
  return getSeries(question, signal).then(deliver, fail);
}

function getCharts(first: Wish, some: readonly Wish[]): Promise<ChartsAnswer> {
  const { servers, from, to, points } = first.question;
  const query = new URLSearchParams({ from, to, points: String(points) });
  for (const server of servers) query.append("server", server);
  for (const metric of new Set(some.map(({ question }) => question.metric))) query.append("metric", metric);
  const unwanted = new AbortController();
  const settle = (): void => {
    if (some.every(({ signal }) => signal.aborted)) unwanted.abort();
  };
  for (const { signal } of some) signal.addEventListener("abort", settle);
  return getJson(`/api/v2/charts?${query}`, unwanted.signal);
}
