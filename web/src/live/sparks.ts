// Asks for the sparklines of many servers in few requests: one a metric for those that come into view together.
import { getSeries, type SeriesAnswer } from "./api";
import { fromOutside } from "../pure/labels";
import type { Spot } from "../pure/polyline";

const GATHER_MS = 30;
const SERVERS_A_REQUEST = 40;
const POINTS = 60;

interface Wish {
  readonly metric: string;
  readonly server: string;
  readonly deliver: (spots: Spot[]) => void;
}

let wishes: Wish[] = [];

/** The last hour of the metric without labels, or of the fullest of its series; [] when it fails. */
export function lastHour(metric: string, server: string): Promise<Spot[]> {
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
  for (const wish of some) wish.deliver(answer ? spotsOf(answer, wish.server) : []);
}

function spotsOf({ series, from, to }: SeriesAnswer, server: string): Spot[] {
  const candidates = series.filter((one) => one.server === server && !fromOutside(one.labels));
  const plain = candidates.find((one) => Object.keys(one.labels).length === 0);
  const last = (one: (typeof series)[number]): number => one.avg.findLast((value) => value !== null) ?? -1;
  const chosen = plain ?? candidates.toSorted((a, b) => last(b) - last(a))[0];
  return chosen ? chosen.time.map((time, row) => ({ at: (time - from) / (to - from), value: chosen.avg[row] ?? null })) : [];
}
