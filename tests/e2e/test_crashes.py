"""Processes are killed and cables cut; what the agent sampled is in the database exactly once all the same."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.crash_site import FastAgent, Stored, every_tick_once, wait_for
from tests.running import RunningPudim

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
