"""Processes are killed and cables cut; what the agent sampled is in the database exactly once all the same."""

import asyncio
import json
import os
import signal
import time
import urllib.error
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pudim_collector.series.blocks import Block, unpack_rollup_block
from tests.e2e.crash_site import FastAgent, Stored, every_tick_once, wait_for
from tests.running import RunningPudim
from tests.small_disk import NOT_HERE, small_disk

pytestmark = pytest.mark.processes
AWAY_SECONDS = 6.0
"""Sixty ticks: as many samples as a minute has at one a second."""


def drained(agent: FastAgent, stored: Stored) -> bool:
    """Whether the stored frames keep pace with the clock again."""
    times = stored.times()
    return bool(times) and time.time() * 1000 - times[-1] < 1500


def test_the_collector_is_killed_in_mid_stream(pudim: RunningPudim, tmp_path: Path) -> None:
    with FastAgent(pudim, tmp_path / "survivor") as agent:
        stored = Stored(pudim.data_dir, agent.server_id)
        wait_for(lambda: stored.count() > 20)
        pudim.kill()
        time.sleep(AWAY_SECONDS)
        before = stored.count()
        pudim.start()
        wait_for(lambda: stored.count() >= before + AWAY_SECONDS * 10 and drained(agent, stored))
        for _ in range(2):  # and at moments that nobody chose
            time.sleep(0.3 + os.urandom(1)[0] / 256)
            pudim.kill()
            pudim.start()
        wait_for(lambda: drained(agent, stored))
        with stored.held():  # and between the arrival of batches and their commit
            time.sleep(0.5)
            pudim.kill()
        pudim.start()
        wait_for(lambda: drained(agent, stored))
    every_tick_once(stored)
    assert len(stored.ledger()) == 1


def test_the_agent_is_killed_while_the_collector_is_away(pudim: RunningPudim, tmp_path: Path) -> None:
    with FastAgent(pudim, tmp_path / "phoenix") as agent:
        stored = Stored(pudim.data_dir, agent.server_id)
        wait_for(lambda: stored.count() > 20)
        pudim.kill()
        time.sleep(2)
        agent.kill()
        left_behind = [agent.written()]
        assert left_behind[0][1] >= stored.count() + 15
        agent.start()
        time.sleep(2)
        pudim.start()
        wait_for(lambda: len(stored.ledger()) == 2 and drained(agent, stored))
        agent.kill()
        left_behind.append(agent.written())
        agent.start()
        wait_for(lambda: len(stored.ledger()) == 3 and drained(agent, stored))
        with stored.held():  # both, between the arrival of batches and their commit
            time.sleep(0.5)
            agent.kill()
            pudim.kill()
        left_behind.append(agent.written())
        pudim.start()
        agent.start()
        wait_for(lambda: len(stored.ledger()) == 4 and drained(agent, stored))
    every_tick_once(stored, restarts=3)
    for boot_id, newest in left_behind:
        assert stored.ledger()[boot_id] == (newest, 0), "what the agent had written down is missing"


class CuttingProxy:
    """Between agent and collector: hands everything on, until it keeps one direction to itself and hangs up."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.withhold = self.swallow = False
        self.withheld = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, back}
        await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer, answers=True))
        self._open -= {writer, back}

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        with suppress(OSError):
            while part := await reader.read(65_536):
                if self.withhold if answers else self.swallow:
                    self.withheld += len(part)
                    continue
                writer.write(part)
                await writer.drain()
        writer.close()


async def test_the_connection_is_cut_between_commit_and_acknowledgement(
    pudim: RunningPudim, tmp_path: Path
) -> None:
    proxy = CuttingProxy(pudim.port)
    agent = FastAgent(pudim, tmp_path / "unheard", url=f"http://127.0.0.1:{await proxy.start()}")
    await asyncio.to_thread(agent.enrol)
    stored = Stored(pudim.data_dir, agent.server_id)
    agent.start()
    try:
        await asyncio.to_thread(wait_for, lambda: stored.count() > 20)
        for _ in range(3):
            proxy.withhold, proxy.withheld = True, 0
            before = stored.count()
            await asyncio.to_thread(wait_for, lambda before=before: stored.count() > before + 3)
            assert proxy.withheld > 0, "no acknowledgement was on its way"
            proxy.cut()
            proxy.withhold = False
            before = stored.count()
            await asyncio.to_thread(wait_for, lambda before=before: stored.count() > before + 20)
        await asyncio.to_thread(wait_for, lambda: drained(agent, stored))
    finally:
        await asyncio.to_thread(agent.stop)
        await proxy.stop()
    every_tick_once(stored)
    duplicates = [line for line in pudim.metrics().splitlines() if line.startswith("pudim_ingest_duplicate")]
    assert float(duplicates[0].split()[-1]) > 0


async def test_batches_are_lost_on_their_way(pudim: RunningPudim, tmp_path: Path) -> None:
    proxy = CuttingProxy(pudim.port)
    agent = FastAgent(pudim, tmp_path / "swallowed", url=f"http://127.0.0.1:{await proxy.start()}")
    await asyncio.to_thread(agent.enrol)
    stored = Stored(pudim.data_dir, agent.server_id)
    agent.start()
    try:
        await asyncio.to_thread(wait_for, lambda: stored.count() > 20)
        for _ in range(2):
            proxy.swallow, proxy.withheld = True, 0
            await asyncio.sleep(1)
            assert proxy.withheld > 0, "no batch was on its way"
            proxy.cut()
            proxy.swallow = False
            await asyncio.to_thread(wait_for, lambda: drained(agent, stored))
    finally:
        await asyncio.to_thread(agent.stop)
        await proxy.stop()
    every_tick_once(stored)


def closed_hours() -> tuple[int, int]:
    """The first and the end of three hours that are over, so that the upkeep makes blocks of them; in seconds."""
    over = (int(time.time()) - 360) // 3600 * 3600
    return over - 3 * 3600, over


def upkeep_is_done(stored: Stored, end: int) -> bool:
    """Whether no frame of hours before `end` is a row any more, and nothing of them waits to be rolled up."""
    (left,) = stored.rows(
        "SELECT (SELECT count(*) FROM frames JOIN sources USING (source_id)"
        "     WHERE server_id = %(server)s AND time < to_timestamp(%(end)s::float8)),"
        " (SELECT count(*) FROM unrolled JOIN sources USING (source_id)"
        "     WHERE server_id = %(server)s AND hour < %(end)s::float8 / 3600)",
        end=str(end),
    )
    return left == (0, 0)


def minutes(stored: Stored) -> dict[int, list[float]]:
    """The beginning of each minute of the past: how many, lowest, highest and sum of its values."""
    found = {}
    for block in stored.rows(
        "SELECT block.rows, block.times, block.offsets, block.body FROM minute_blocks AS block"
        " JOIN sources USING (source_id) WHERE server_id = %(server)s AND sources.name = 'past'"
    ):
        times, rollup = unpack_rollup_block(Block(*block))  # type: ignore[arg-type]
        parts = np.stack([rollup.count, rollup.low, rollup.high, rollup.total])
        for row, time_ms in enumerate(times.tolist()):
            assert time_ms not in found
            found[time_ms] = parts[:, row, 0].tolist()
    return found


def test_the_collector_is_killed_while_it_rolls_up_and_compacts(pudim: RunningPudim, tmp_path: Path) -> None:
    """An agent comes back with hours in its spool, and each start finds more of them to move."""
    agent = FastAgent(pudim, tmp_path / "historian").enrol()
    start, end = closed_hours()
    past = {second * 1000: float(second % 97) for second in range(start, end, 4)}
    agent.remember(past)
    stored = Stored(pudim.data_dir, agent.server_id)
    agent.start()
    try:
        for _ in range(4):
            time.sleep(0.2 + os.urandom(1)[0] / 200)
            pudim.kill()
            pudim.start()
        wait_for(lambda: len(stored.times("past")) >= len(past) and drained(agent, stored))
        pudim.kill()
        pudim.start()
        wait_for(lambda: upkeep_is_done(stored, end))
    finally:
        agent.stop()
    assert stored.frames("past") == [(time_ms, (value,)) for time_ms, value in past.items()]
    every_tick_once(stored, others=len(past))
    by_minute: dict[int, list[float]] = {}
    for time_ms, value in past.items():
        by_minute.setdefault(time_ms // 60_000 * 60_000, []).append(value)
    assert minutes(stored) == {
        minute: [len(values), min(values), max(values), sum(values)] for minute, values in by_minute.items()
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_the_database_is_killed_beneath_the_collector(
    pudim: RunningPudim, tmp_path: Path, number: signal.Signals
) -> None:
    with FastAgent(pudim, tmp_path / f"uprooted-{number}") as agent:
        stored = Stored(pudim.data_dir, agent.server_id)
        wait_for(lambda: stored.count() > 20)
        pid_file = pudim.data_dir / "postgres" / "data" / "postmaster.pid"
        for _ in range(2):
            before, counted = pid_file.read_text().splitlines()[0], database_restarts(pudim)
            os.kill(int(before), number)
            wait_for(lambda before=before: restarted(pid_file, before))
            wait_for(lambda: drained(agent, stored))
            wait_for(lambda: readiness(pudim)["status"] == "ready")  # whoever restarts it looks again
            assert database_restarts(pudim) == counted + 1
    every_tick_once(stored)
    wait_for(lambda: readiness(pudim)["status"] == "ready")


def database_restarts(pudim: RunningPudim) -> float:
    lines = pudim.metrics().splitlines()
    (counted,) = [line for line in lines if line.startswith("pudim_database_restarts_total")]
    return float(counted.split()[-1])


def restarted(pid_file: Path, before: str) -> bool:
    with suppress(OSError):
        lines = pid_file.read_text().splitlines()
        return len(lines) > 7 and lines[0] != before and lines[7].strip() == "ready"
    return False


def readiness(pudim: RunningPudim) -> Any:
    """What /readyz says, also with a status of 503."""
    try:
        return pudim.call("/readyz")
    except urllib.error.HTTPError as answer:
        return json.loads(answer.read())


def test_the_disk_of_the_database_is_full_for_a_while(tmp_path: Path) -> None:
    with small_disk(256 << 20) as disk:
        if disk is None:
            pytest.skip(NOT_HERE)
        with RunningPudim(disk.folder / "data") as pudim:
            agent = FastAgent(pudim, tmp_path / "patient")
            with agent:
                stored = Stored(pudim.data_dir, agent.server_id)
                wait_for(lambda: stored.count() > 20)
                disk.fill()
                wait_for(lambda: "store_unavailable" in agent.log)
                assert "refused (store_unavailable): the database's disk is full" in agent.log
                checks = readiness(pudim)["checks"]
                assert set(checks.values()) - {"well"}, checks
                time.sleep(2)
                disk.free()
                wait_for(lambda: drained(agent, stored))
                wait_for(lambda: readiness(pudim)["status"] == "ready")
            every_tick_once(stored)
