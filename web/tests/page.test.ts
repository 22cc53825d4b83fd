import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, axisTimes, countdown, moment } from "../src/pure/clock";
import { byName, level, type Ranked, worstFirst } from "../src/pure/ranking";
import { bounds, presetSeconds, queryOf, rangeOf, zoomed } from "../src/pure/ranges";

const at = (...parts: [number, number, number, number, number]): number => new Date(...parts).getTime() / 1000;

test("presets have their length", () =>
  assert.deepEqual((["15m", "6h", "7d"] as const).map(presetSeconds), [900, 21_600, 604_800]));

test("a relative range ends now, a fixed one stays", () => {
  assert.deepEqual(bounds({ last: "1h" }, 10_000), { from: 6_400, to: 10_000 });
  assert.deepEqual(bounds({ from: 1, to: 2 }, 10_000), { from: 1, to: 2 });
});

const ADDRESSES: [string, unknown][] = [
  ["", { last: "1h" }],
  ["range=7d", { last: "7d" }],
  ["range=5y", { last: "1h" }],
  ["from=100&to=200", { from: 100, to: 200 }],
  ["from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z", { from: 1_767_225_600, to: 1_767_229_200 }],
  ["from=200&to=100", { last: "1h" }],
  ["from=x&to=100&range=6h", { last: "6h" }],
];

for (const [query, range] of ADDRESSES)
  test(`"?${query}" shows ${JSON.stringify(range)}`, () =>
    assert.deepEqual(rangeOf(new URLSearchParams(query), "1h"), range));

test("an address made from a range leads back to it", () => {
  for (const range of [{ last: "24h" } as const, { from: 100, to: 200 }])
    assert.deepEqual(rangeOf(queryOf(range), "1h"), range);
});

test("a zoom is whole seconds and never less than ten", () => {
  assert.deepEqual(zoomed(100.4, 160.2), { from: 100, to: 161 });
  assert.deepEqual(zoomed(100, 101), { from: 95, to: 106 });
});

test("distances in time are said in one unit, rounded down", () => {
  assert.deepEqual([0, 12, 90, 7_200, 200_000].map((s) => ago(1000, 1000 + s)), ["just now", "12 s ago", "1 min ago", "2 h ago", "2 d ago"]);
  assert.equal(ago(1000, 990), "just now");
  assert.equal(countdown(86_400), "24 h");
});

test("a moment says as much of the date as its stretch needs", () => {
  const time = at(2026, 0, 5, 9, 7);
  assert.deepEqual([3_600, 604_800, 7_776_000].map((span) => moment(time, span)), ["09:07:00", "5 Jan 09:07", "5 Jan 2026 09:07"]);
});

test("an axis shows the date where a day begins", () => {
  const ticks = [at(2026, 0, 5, 18, 0), at(2026, 0, 6, 0, 0), at(2026, 0, 6, 6, 0)];
  assert.deepEqual(axisTimes(ticks, 21_600), ["18:00", "6 Jan", "06:00"]);
  assert.deepEqual(axisTimes([at(2026, 0, 5, 0, 0)], 86_400), ["5 Jan"]);
  assert.deepEqual(axisTimes([at(2026, 0, 5, 9, 7)], 15), ["09:07:00"]);
});

test("an unknown figure is never calm", () =>
  assert.deepEqual([null, undefined, Number.NaN, 0, 0.75, 0.9].map(level), ["unknown", "unknown", "unknown", "calm", "raised", "high"]));

const server = (name: string, state: string, ...figures: (number | null)[]): Ranked => ({ name, state, figures });

test("what needs a person comes first", () => {
  const all = [
    server("revoked", "revoked", null),
    server("idle", "live", 0.1, 0.2),
    server("waiting", "waiting", null),
    server("mute", "live", null, null),
    server("full", "live", 0.1, 0.95),
    server("gone", "silent", null),
  ];
  assert.deepEqual(all.sort(worstFirst).map(({ name }) => name), ["gone", "full", "mute", "idle", "waiting", "revoked"]);
});

test("small changes move no row, and names sort like people count", () => {
  assert.ok(worstFirst(server("a", "live", 0.51), server("b", "live", 0.58)) < 0);
  assert.ok(byName(server("web-2", "live"), server("web-10", "live")) < 0);
});
