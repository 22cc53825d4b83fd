import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { ago, axisTimes, moment } from "../src/pure/clock";
import { become, local, many, t } from "../src/pure/language";
import { troubles } from "../src/pure/signs";
import { formatFigure, tickLabels } from "../src/pure/units";

const NOON = Date.UTC(2026, 1, 3, 12, 5, 9) / 1000;

afterEach(() => become({}));

test("what has no translation stays as it is, with its values", () =>
  assert.equal(t("top %(shown)s of %(all)s", { shown: 3, all: 12 }), "top 3 of 12"));

test("a translation may put its values in another order, and is text only", () => {
  become({ language: "xx", words: { "top %(shown)s of %(all)s": "%(all)s <b>%(shown)s" } });
  assert.equal(t("top %(shown)s of %(all)s", { shown: 3, all: 12 }), "12 <b>3");
});

test("a value that looks like a placeholder is no placeholder", () =>
  assert.equal(t("%(a)s and %(b)s", { a: "%(b)s", b: "$&" }), "%(b)s and $&"));

test("a count takes the form that the language's rule says", () => {
  const forms = ["jeden", "několik %(count)s", "mnoho %(count)s"];
  const plurals = Array.from({ length: 200 }, (_, n) => (n === 1 ? "0" : n >= 2 && n <= 4 ? "1" : "2")).join("");
  become({ words: { "%(count)s one": forms }, plurals });
  const said = [1, 3, 5, 101, 1_003].map((count) => many("%(count)s one", "%(count)s ones", count));
  assert.deepEqual(said, ["jeden", "několik 3", "mnoho 5", "mnoho 101", "mnoho 1003"]);
});

test("English knows one and several", () =>
  assert.deepEqual([0, 1, 2].map((count) => many("%(count)s day", "%(count)s days", count)), ["0 days", "1 day", "2 days"]));

test("figures have the separator of the language", () => {
  become({ language: "pt-BR" });
  assert.equal(formatFigure(1.5 * 2 ** 30, "By"), "1,5 GiB");
  assert.deepEqual(tickLabels([0, 0.005], "1"), ["0,0 %", "0,5 %"]);
});

test("times stand in the zone that was chosen, also where that is another day", () => {
  become({ zone: "Asia/Kolkata" });
  assert.equal(moment(NOON, 3_600), "17:35:09");
  assert.equal(local(NOON + 8 * 3_600).day, 4);
  assert.deepEqual(axisTimes([Date.UTC(2026, 1, 3, 18, 0) / 1000, Date.UTC(2026, 1, 3, 18, 30) / 1000], 1_800), ["23:30", "4 Feb"]);
});

test("months are the language's", () => {
  become({ language: "pt-BR", zone: "UTC" });
  assert.equal(moment(NOON, Infinity), "3 fev 2026 12:05");
});

test("distances in time and troubles are translated whole", () => {
  become({ language: "pt-BR", words: { "%(time)s ago": "há %(time)s", "%(count)s disk failing": ["%(count)s disco", "%(count)s discos"] }, plurals: "00".padEnd(200, "1") });
  assert.equal(ago(0, 300), "há 5 min");
  assert.deepEqual(troubles({ disks: { total: 3, bad: 2, old: false } }).map(({ words }) => words), ["2 discos"]);
});
