"""The StatsD sampler on real sockets: what programs send adds up from tick to tick, and a flood costs it no tick."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from pudim.wire.layouts import Series
from pudim_agent.assembly import Assembly
from pudim_agent.config import ConfigFaults, parse
from pudim_agent.custom.statsd_table import StatsdTable
from pudim_agent.samplers import Host, Reading, Tick
from pudim_agent.samplers.statsd import MOST_BYTES_A_SECOND, Statsd, StatsdConfig

KEY = "A" * 43
TOP = f'url = "https://pudim.example.org"\ncollector_key = "{KEY}"\n'


def custom(readings: list[Reading]) -> dict[str, float]:
    """Values of the programs' own series by `metric{labels}`."""
    found = {}
    for reading in readings:
        if reading.labels:
            for one, value in zip(reading.series, reading.values, strict=True):
                found[shown(one)] = value
    return found


def shown(one: Series) -> str:
    return one.metric + "".join(f" {key}={value}" for key, value in one.labels)


@asynccontextmanager
async def listening(host: Host | None = None, **config: Any) -> AsyncIterator[Statsd]:
    sampler = Statsd(host or Host(), StatsdConfig(port=0, **config))
    task = asyncio.ensure_future(sampler.run())
    await asyncio.wait_for(sampler.listening.wait(), 10)
    try:
        yield sampler
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def tick(seconds: float = 0.0) -> Tick:
    now = asyncio.get_running_loop().time() + seconds
    return Tick(int(now * 1000), now)


async def send(sampler: Statsd, *packets: bytes) -> None:
    """And wait until they were read: they pass through the kernel in order."""
    host, _, port = sampler.addresses[0].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        for packet in packets:
            sending.sendto(packet, (host, int(port)))
    await read_all(sampler, len(b"\n".join(packets).split(b"\n")))


async def read_all(sampler: Statsd, lines: int) -> None:
    wanted = sampler._table.taken + sampler._table.bad + lines
    async with asyncio.timeout(10):
        while sampler._table.taken + sampler._table.bad < wanted:
            await asyncio.sleep(0.01)


async def test_everything_at_once() -> None:
    async with listening(quantiles=(0.5,)) as sampler:
        list(sampler.sample(first := tick()))
        await send(
            sampler,
            b"shop.orders:3|c|@0.5|#region:eu\nshop.orders:4|c|#region:eu",
            b"queue:10|g\nqueue:-3|g",
            b"page:10:20:60|ms",
            b"users:anna|s\nusers:bert|s\nusers:anna|s",
            b"system.load:5|g",
        )
        readings = list(sampler.sample(Tick(first.time_ms + 10_000, first.monotonic + 10)))
    assert custom(readings) == {
        "shop.orders.rate region=eu": 1.0,
        "queue": 7.0,
        "page.count.rate": 0.3,
        "page.sum.rate": 9.0,
        "page quantile=0": 10.0,
        "page quantile=0.5": 20.0,
        "page quantile=1": 60.0,
        "users": 2.0,
        "custom.system.load": 5.0,
    }
    assert {reading.source for reading in readings} == {"custom"}
    assert {reading.labels for reading in readings} == {(), (("pudim.custom", "statsd"),)}


async def test_the_layout_is_the_same_as_long_as_nothing_comes_new() -> None:
    host = Host()
    async with listening(host) as sampler:
        assembly = Assembly({"statsd": sampler}, host)
        assembly.frames(tick())
        await send(sampler, b"a:1|c\nb:2|g")
        before = {one.source.hash for one in assembly.frames(tick(1))}
        await send(sampler, b"a:5|c")
        after = {one.source.hash for one in assembly.frames(tick(2))}
        assert before == after
        await send(sampler, b"c:5|c")
        assert len({one.source.hash for one in assembly.frames(tick(3))} - after) == 1


async def test_the_same_series_written_in_another_way_is_one() -> None:
    async with listening() as sampler:
        list(sampler.sample(first := tick()))
        await send(sampler, b"a:1|c|#x:1,y:2", b"a:2|c|#y:2,x:1")
        found = custom(list(sampler.sample(Tick(0, first.monotonic + 1))))
    assert found == {"a.rate x=1 y=2": 3.0}


async def test_one_name_for_two_kinds_and_other_bad_lines_are_told() -> None:
    host = Host()
    async with listening(host) as sampler:
        list(sampler.sample(first := tick()))
        await send(sampler, b"a:1|g\na:1|s\nnonsense\nb:\x1b|c")
        list(sampler.sample(Tick(0, first.monotonic + 31)))
        assert sampler._table.bad == 3
        list(sampler.sample(Tick(0, first.monotonic + 62)))
        *_, (_, message) = host.notices.since(0)
    assert b"a value that is no number: 'b:\xef\xbf\xbd|c'" in message


def test_what_nobody_sends_any_more_is_not_known() -> None:
    origin = Host().custom.share("statsd", 100).origin("statsd", {})
    table = StatsdTable(origin, (), 60.0)

    def values(now: float) -> dict[str, float]:
        table.flush(10.0, now)
        return {one.series.metric: one.value for one in origin.shelves}

    table.take(b"a:1|g\nb:1|c", 0.0)
    assert values(10.0) == {"a": 1.0, "b.rate": 0.1}
    assert values(20.0) == {"a": 1.0, "b.rate": 0.0}
    assert all(map(isnan, values(90.0).values()))
    table.take(b"a:+2|g", 95.0)
    found = values(100.0)
    assert found["a"] == 2.0  # a step from nowhere begins at zero
    assert isnan(found["b.rate"])
    assert len(table._rows) == len(table._held) == 1


def test_one_series_written_in_ever_new_ways_is_refused_in_the_end() -> None:
    table = StatsdTable(Host().custom.share("statsd", 100).origin("statsd", {}), (), 60.0)
    for number in range(100):
        table.take(b"a:1|c|#" + b",".join([b"x:0"] * number + [b"x:1"]), 0.0)
    assert len(table._rows) == 16
    assert "in too many ways" in (table.example or "")


async def test_too_many_series_are_turned_away_and_the_known_go_on() -> None:
    host = Host()
    async with listening(host, max_series=50) as sampler:
        list(sampler.sample(first := tick()))
        await send(sampler, b"good:1|c")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            host_name, _, port = sampler.addresses[0].rpartition(":")
            for user in range(100):
                sending.sendto(b"hits:1|c|#user:%d" % user, (host_name, int(port)))
        await read_all(sampler, 49)
        await send(sampler, b"good:1|c")
        found = custom(list(sampler.sample(Tick(0, first.monotonic + 31))))
        list(sampler.sample(Tick(0, first.monotonic + 62)))
        assert found["good.rate"] == pytest.approx(2 / 31)
        assert len(found) == 50
        (*_, (_, message)) = host.notices.since(0)
    assert b"'hits.rate' has " in message
    assert b"its label 'user' " in message


async def test_a_flood_is_read_in_part_and_what_is_lost_is_counted() -> None:
    packet = b"\n".join([b"a:1|c"] * 200)
    async with listening() as sampler:
        (*_, own) = sampler.sample(first := tick())
        host, _, port = sampler.addresses[0].rpartition(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            for _ in range(16 * MOST_BYTES_A_SECOND // len(packet)):
                sending.sendto(packet, (host, int(port)))
        await read_all(sampler, 200)
        (*_, own) = sampler.sample(Tick(0, first.monotonic + 1))
        read, dropped = own.values[0], own.values[2]
    assert read > 0
    assert dropped > 0


async def test_a_unix_socket_takes_the_same_and_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "statsd.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as killed:
        killed.bind(str(path))  # left behind
    async with listening(socket=path) as sampler:
        list(sampler.sample(first := tick()))
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.sendto(b"a:1|c", str(path))
        await read_all(sampler, 1)
        assert custom(list(sampler.sample(Tick(0, first.monotonic + 1)))) == {"a.rate": 1.0}
    assert not path.exists()


async def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("x")
    os.symlink(path, tmp_path / "link")  # noqa: PTH211 - as an attacker would
    for place in (path, tmp_path / "link"):
        with pytest.raises(OSError, match="in use"):
            await Statsd(Host(), StatsdConfig(port=0, socket=place)).run()
    assert path.read_text() == "x"


async def test_a_taken_port_is_an_error_that_costs_no_tick() -> None:
    async with listening() as sampler:
        port = int(sampler.addresses[0].rpartition(":")[2])
        second = Statsd(Host(), StatsdConfig(port=port))
        with pytest.raises(OSError, match="in use"):
            await second.run()
        assert second.addresses == []
        assert list(second.sample(tick()))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ('address = "0.0.0.0"', "samplers.statsd.address: 0.0.0.0 can be reached from outside"),
        ('address = "localhost"', "samplers.statsd.address: must be an IP address"),
        ("quantiles = [0.5, 1.5]", "samplers.statsd.quantiles: must lie between 0 and 1"),
        ('quantiles = ["x"]', "samplers.statsd.quantiles: must be a list of numbers"),
    ],
)
def test_options_that_cannot_be(options: str, fault: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        parse(f"{TOP}[samplers.statsd]\nenabled = true\n{options}\n")
    assert [fault in one for one in caught.value.faults] == [True]


def test_it_is_off_unless_asked_for() -> None:
    assert not parse(TOP).samplers["statsd"].enabled
    config = parse(f'{TOP}[samplers.statsd]\nenabled = true\naddress = "::1"\nquantiles = [0.9]\n')
    assert config.samplers["statsd"] == StatsdConfig(enabled=True, address="::1", quantiles=(0.9,))
