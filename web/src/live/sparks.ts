// Asks for the sparklines of many servers in few requests: one a metric for those that come into view together.
import { getSeries, type SeriesAnswer } from "./api";
import type { Value } from "../pure/series";

const GATHER_MS = 30;
const SERVERS_A_REQUEST = 40;
const POINTS = 60;

interface Wish {
  readonly metric: string;
  readonly server: string;
  readonly deliver: (values: Value[]) => void;
}

let wishes: Wish[] = [];

/** The last hour's means of the metric without labels, or of the fullest of its series; [] when it fails. */
export function lastHour(metric: string, server: string): Promise<Value[]> {
  return new Promise((deliver) => {
    if (wishes.length === 0) setTimeout(fetchAll, GATHER_MS);
    wishes.push({ metric, server, deliver });
  });
}

function fetchAll(): void {
  const gathered = wishes;
  wishes = [];
  for (const metric of new Set(gathered.map((wish) => wish.metric))) {
    const same = gathered.filter((wish) => wish.metric === metric);
    for (let start = 0; start < same.length; start += SERVERS_A_REQUEST)
      void fetchSome(metric, same.slice(start, start + SERVERS_A_REQUEST));
  }
}

async function fetchSome(metric: string, some: readonly Wish[]): Promise<void> {
  const servers = [...new Set(some.map((wish) => wish.server))];
  let answer: SeriesAnswer | undefined;
  try {
    answer = await getSeries({ metric, servers, from: "-1h", to: "now", points: POINTS });
  } catch {
    // A list without its sparklines is still a list; the figures beside them come another way.
  }
  for (const wish of some) wish.deliver(answer ? valuesOf(answer, wish.server) : []);
}

function valuesOf(answer: SeriesAnswer, server: string): Value[] {
  const candidates = answer.series.filter((series) => series.server === server);
  const plain = candidates.find((series) => Object.keys(series.labels).length === 0);
  const last = (values: readonly Value[]): number => values.findLast((value) => value !== null) ?? -1;
  const chosen = plain ?? candidates.toSorted((a, b) => last(b.avg) - last(a.avg))[0];
  return chosen ? chosen.avg : [];
}
