"""The runner of checks: what the collector asks for is run, told once a result, kept over a restart, and bounded by the host."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pudim.wire.codec import unpack
from pudim.wire.messages import Checks, Notice
from pudim_agent.checks import FILE, MOST_CHECKS, CheckRunner, ChecksConfig
from pudim_agent.clock import SystemClock
from pudim_agent.config import AgentConfig, ConfigFaults, parse
from pudim_agent.identity import Identity
from pudim_agent.loop import Agent
from pudim_agent.notices import Notices
from pudim_agent.policy import Trust, check_networks
from pudim_agent.samplers import Reading, Tick
from tests.agent.fake_collector import FakeCollector

LABELS = ("pudim.check.id", "a"), ("pudim.check.kind", "tcp")


def tcp(name: str, port: int, **changed: Any) -> dict[str, Any]:
    settings = {"host": "127.0.0.1", "port": port}
    return {"id": name, "kind": "tcp", "interval": 60, "timeout": 2, "settings": settings} | changed


class Bench:
    """A runner on its own, ticked by the test."""

    def __init__(self, state: Path, **config: Any) -> None:
        self.notices = Notices()
        clock = SystemClock()
        self.runner = CheckRunner(ChecksConfig(**config), state, clock, self.notices, draw=lambda: 0.0)

    def tick(self) -> list[Reading]:
        return list(self.runner.sample(Tick(1_800_000_000_000, 1.0)))

    @property
    def document(self) -> dict[str, Any]:
        """What was told last."""
        self.runner._is_news = True
        self.tick()
        return Notice.decode(unpack(list(self.notices.since(0))[-1][1])).document

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["id"]: row for row in self.runner._document()["checks"]}

    async def until_known(self, *names: str, seconds: float = 10) -> dict[str, dict[str, Any]]:
        async def wait() -> None:
            while not all(self.rows.get(name, {}).get("at") for name in names):
                await asyncio.sleep(0.005)

        await asyncio.wait_for(wait(), seconds)
        return self.rows

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.runner.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def listening(patience: float = 0.0) -> AsyncIterator[tuple[int, list[int]]]:
    """A port, and how many clients it has at each arrival; they are let go after `patience` seconds."""
    here = 0
    seen: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal here
        here += 1
        seen.append(here)
        await asyncio.sleep(patience)
        here -= 1
        writer.write(b"ready\n")
        writer.transport.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1], seen
    server.close()


async def test_each_result_is_told_once_as_a_frame_and_as_the_newest_word(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with listening() as (port, _), bench.running():
        bench.runner.take(Checks(7, (tcp("a", port), tcp("b", 1))))
        await bench.until_known("a", "b")
        first, second = bench.tick(), bench.tick()
    assert [one.labels for one in first] == [LABELS, (("pudim.check.id", "b"), ("pudim.check.kind", "tcp"))]
    assert [one.source for one in first] == ["checks", "checks"]
    assert second == []
    for reading, up in zip(first, (1.0, 0.0), strict=True):
        found = dict(zip((one.metric for one in reading.series[:2]), reading.values, strict=False))
        assert found["pudim.check.up"] == up
        assert 0 < found["pudim.check.duration"] < 2
    document = bench.document
    assert document["revision"] == 7
    up, down = document["checks"]
    assert (up["status"], up["code"], up["detail"]) == ("up", "ok", "connected")
    assert (down["status"], down["code"]) == ("down", "refused")
    assert up["since"] == up["at"] > 1_700_000_000_000


async def test_a_bad_check_says_what_is_wrong_and_the_others_go_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with listening() as (port, _), bench.running():
        bad = [
            tcp("port", 0),
            tcp("kind", 1, kind="magic"),
            {"id": "empty"},
            tcp("odd\x1b[31m", port),
            {"id": 5, "settings": None},
        ]
        bench.runner.take(Checks(1, (*bad, tcp("good", port))))
        rows = await bench.until_known("good")
    assert rows["good"]["status"] == "up"
    for name in ("port", "kind", "empty", "odd\ufffd[31m", "5"):
        assert (rows[name]["status"], rows[name]["code"], rows[name]["at"]) == (
            "unknown",
            "bad_check",
            None,
        ), name
    assert "settings.port: must be from 1 to 65535" in rows["port"]["detail"]


async def test_a_new_list_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with listening() as (port, seen), listening(patience=30) as (slow, waiting), bench.running():
        bench.runner.take(
            Checks(
                1,
                (tcp("same", port), tcp("gone", slow, settings={**tcp("", slow)["settings"], "expect": "x"})),
            )
        )
        before = (await bench.until_known("same"))["same"]
        while not waiting:
            await asyncio.sleep(0.005)
        bench.runner.take(Checks(2, (tcp("same", port), tcp("new", port))))
        after = await bench.until_known("new")
        assert set(after) == {"same", "new"}
        assert after["same"]["at"] == before["at"]
        assert len(seen) == 2
        while bench.runner._running:
            await asyncio.sleep(0.005)


async def test_runs_of_one_check_never_overlap_and_few_run_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, at_once=2)
    async with listening(patience=0.1) as (port, seen), bench.running():
        expecting = {"host": "127.0.0.1", "port": port, "expect": "ready"}
        names = [f"check {number}" for number in range(6)]
        bench.runner.take(Checks(1, tuple(tcp(name, port, settings=expecting) for name in names)))
        rows = await bench.until_known(*names)
    assert {row["status"] for row in rows.values()} == {"up"}
    assert max(seen) <= 2
    assert len(seen) == len(names)


async def test_a_check_is_run_again_at_its_interval(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with listening() as (port, seen), bench.running():
        bench.runner.take(Checks(1, (tcp("a", port),)))
        await bench.until_known("a")
        (planned,) = bench.runner._planned.values()
        wait = planned.due - SystemClock().now().monotonic
        assert 50 < wait <= 57  # with the draw of 0, five hundredths early
        planned.due = 0.0
        bench.runner._changed.set()
        while len(seen) < 2:
            await asyncio.sleep(0.005)


async def test_since_is_when_the_state_began(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    async with listening() as (port, _), bench.running():
        bench.runner.take(Checks(1, (tcp("a", port),)))
        first = dict((await bench.until_known("a"))["a"])
        (planned,) = bench.runner._planned.values()
        planned.row["at"], planned.due = None, 0.0
        bench.runner._changed.set()
        again = dict((await bench.until_known("a"))["a"])
    assert again["since"] == first["since"] <= again["at"]


async def test_checks_go_on_after_a_restart_without_the_collector(tmp_path: Path) -> None:
    async with listening() as (port, _):
        Bench(tmp_path).runner.take(
            Checks(3, (tcp("a", port, settings={"host": "127.0.0.1", "port": port, "send": "secret"}),))
        )
        assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
        bench = Bench(tmp_path)
        async with bench.running():
            assert (await bench.until_known("a"))["a"]["status"] == "up"
            assert bench.document["revision"] == 3


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x92\x01\xa1x", b"\xc0", b"\x93\x01\x91\xc0\x01"])
async def test_a_list_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    bench = Bench(tmp_path)
    async with bench.running():
        await asyncio.sleep(0)
        assert bench.rows == {}


async def test_a_host_that_runs_no_checks_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, enabled=False)
    async with listening() as (port, seen), bench.running():
        bench.runner.take(Checks(1, (tcp("a", port),)))
        await asyncio.sleep(0.05)
    assert bench.rows["a"]["code"] == "not_permitted"
    assert not seen


async def test_a_host_narrows_what_may_be_asked(tmp_path: Path) -> None:
    bench = Bench(tmp_path, networks=("192.0.2.0/24",), folders=("/srv",))
    path = {"path": "/etc/passwd"}
    async with listening() as (port, seen), bench.running():
        bench.runner.take(Checks(1, (tcp("net", port), tcp("file", 1, kind="file", settings=path))))
        rows = await bench.until_known("net", "file")
    assert (rows["net"]["status"], rows["net"]["code"]) == ("unknown", "address_refused")
    assert (rows["file"]["status"], rows["file"]["code"]) == ("unknown", "not_permitted")
    assert not seen


async def test_the_hosts_policy_has_the_last_word_and_is_read_before_each_run(tmp_path: Path) -> None:
    (folder := tmp_path / "etc").mkdir(mode=0o755)
    policy, trust = folder / "policy.toml", Trust(os.getuid(), str(tmp_path))
    policy.write_text('[checks]\nnetworks = ["192.0.2.0/24"]\n')
    policy.chmod(0o644)
    bench = Bench(tmp_path)
    bench.runner._policy = partial(check_networks, policy, trust)
    async with listening() as (port, seen), bench.running():
        bench.runner.take(Checks(1, (tcp("a", port),)))
        assert (await bench.until_known("a"))["a"]["code"] == "address_refused"
        policy.write_text('[checks]\nnetworks = ["127.0.0.0/8"]\n')
        bench.runner.take(Checks(2, (tcp("b", port),)))
        assert (await bench.until_known("b"))["b"]["status"] == "up"
        policy.chmod(0o666)
        bench.runner.take(Checks(3, (tcp("c", port),)))
        assert (await bench.until_known("c"))["c"]["code"] == "address_refused"
        policy.unlink()
        bench.runner.take(Checks(4, (tcp("d", port),)))
        assert (await bench.until_known("d"))["d"]["status"] == "up"
    assert len(seen) == 2


async def test_too_many_checks_are_not_run_and_the_word_about_them_stays_short(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    many = tuple({"id": f"{number}", "kind": "\U0001f4a5" * 300} for number in range(MOST_CHECKS + 50))
    bench.runner.take(Checks(1, many))
    document = bench.document
    assert len(document["checks"]) == MOST_CHECKS
    assert bench.tick() == []


def test_the_table_of_the_configuration() -> None:
    lines = ['url = "http://127.0.0.1"', f'collector_key = "{FakeCollector().public_key}"', "[checks]"]
    good = parse("\n".join([*lines, 'networks = ["10.0.0.0/8", "::1"]', 'folders = ["/opt"]', "at_once = 3"]))
    assert good.checks == ChecksConfig(at_once=3, networks=("10.0.0.0/8", "::1"), folders=("/opt",))
    with pytest.raises(ConfigFaults) as refused:
        parse("\n".join([*lines, 'networks = ["10.0.0.0/8", "lan"]', 'folders = ["opt"]']))
    said = str(refused.value)
    assert "checks.networks[1]: 'lan' does not appear" in said
    assert "checks.folders[0]: must begin with /" in said


async def test_from_the_collector_to_frames_and_back(
    collector: FakeCollector, enrolled: AgentConfig, identity: Identity
) -> None:
    def told() -> bool:
        """Whether the word about checks holds a result."""
        rows = [row for one in collector.notices if one.kind == "checks" for row in one.document["checks"]]
        return any(row["at"] for row in rows)

    def frames() -> int:
        sources = [key for key, one in collector.sources.items() if one.name == "checks"]
        return sum(block.source in sources for batch in collector.batches for block in batch.blocks)

    async with listening() as (port, _):
        collector.orders = [Checks(5, (tcp("a", port),)).encode()]
        running = asyncio.ensure_future(Agent(enrolled, identity, SystemClock()).run())
        try:
            await collector.until(told, 20)
            await collector.until(lambda: frames() > 0, 20)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    (source,) = [one for one in collector.sources.values() if one.name == "checks"]
    assert source.labels == LABELS
    assert frames() == 1
