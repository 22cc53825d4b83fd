import assert from "node:assert/strict";
import { test } from "node:test";
import { distinctNames, parseFilter, seriesKey } from "../src/pure/labels";

const CHOICES: [string, Record<string, string>, boolean][] = [
  ["", { "cpu.mode": "user" }, true],
  ["cpu.mode", { "cpu.mode": "user" }, true],
  ["cpu.mode", {}, false],
  ["!cpu.mode", {}, true],
  ["!cpu.mode", { "cpu.mode": "user" }, false],
  ["cpu.mode,cpu.mode!=idle", { "cpu.mode": "idle" }, false],
  ["cpu.mode , cpu.mode!=idle", { "cpu.mode": "user" }, true],
  ["kind=some", { kind: "some" }, true],
  ["kind=some", { kind: "full" }, false],
  ["network.interface.name!=lo", {}, true],
  ["", { "pudim.sender": "lab" }, false],
  ["!cpu.mode", { "pudim.sender": "lab" }, false],
  ["cpu.mode", { "cpu.mode": "user", "pudim.sender": "lab" }, false],
  ["pudim.sender", { "cpu.mode": "user", "pudim.sender": "lab" }, true],
  ["pudim.sender", {}, false],
];

for (const [filter, labels, chosen] of CHOICES)
  test(`"${filter}" ${chosen ? "takes" : "leaves"} ${JSON.stringify(labels)}`, () =>
    assert.equal(parseFilter(filter)(labels), chosen));

test("a series has one key, whatever the order of its labels", () => {
  assert.equal(seriesKey("m", { a: "1", b: "2" }), seriesKey("m", { b: "2", a: "1" }));
  assert.notEqual(seriesKey("m", { a: "1" }), seriesKey("n", { a: "1" }));
});

test("names say the labels that differ", () => {
  const all = [
    { device: "sda", direction: "read", host: "x" },
    { device: "sda", direction: "write", host: "x" },
    { device: "sdb", direction: "read", host: "x" },
    { device: "sdb", direction: "write", host: "x" },
  ];
  assert.deepEqual(distinctNames(all), ["sda read", "sda write", "sdb read", "sdb write"]);
});

test("a label that another one decides is left out", () => {
  const all = [
    { mountpoint: "/", device: "sda1", type: "ext4" },
    { mountpoint: "/boot", device: "sda2", type: "ext4" },
    { mountpoint: "/srv", device: "sdb1", type: "xfs" },
  ];
  assert.deepEqual(distinctNames(all), ["/", "/boot", "/srv"]);
});

test("one series needs no name", () => assert.deepEqual(distinctNames([{ a: "1" }]), [""]));
