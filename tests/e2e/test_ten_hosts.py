"""Ten agents on ten hosts whose cables are cut, whose addresses change and whose processes are killed, as the
collector is: what was sampled is stored once, and what was not is told.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from pudim_agent.spool import Spool
from tests.e2e.crash_site import FastAgent, Stored, settled_frames, wait_for
from tests.namespaces import NOT_HERE, NamedHost, hosts
from tests.running import RunningPudim

pytestmark = pytest.mark.processes
HOSTS = 10
TROUBLE_SECONDS = 25.0
TICK = 500
"""Ten processes share the processors of one machine, so each samples twice a second."""
SEED = int(os.environ.get("PUDIM_TEST_SEED", "20"))
PATIENCE = 150.0
"""A connection that hears nothing any more is given up after a minute without an answer."""


@dataclass
class Inhabitant(FastAgent):
    """An agent on a host of its own."""

    host: NamedHost = field(default_factory=lambda: NamedHost("", "", "", 0))
    downs: list[float] = field(default_factory=list)
    """When it was killed, in milliseconds."""
    left_behind: list[tuple[bytes, int]] = field(default_factory=list)

    def enrol(self) -> "Inhabitant":
        """From this machine, which is quicker; then it gets the address as its host sees it."""
        super().enrol()
        settings = self.state_dir / "agent.toml"
        said = settings.read_text().replace("interval_ms = 100", f"interval_ms = {TICK}")
        near, far = f"http://127.0.0.1:{self.pudim.port}", f"http://{self.host.network}.1:{self.pudim.port}"
        settings.write_text("insecure = true\n" + said.replace(near, far))
        assert f"interval_ms = {TICK}" in said
        assert far in settings.read_text()
        return self

    def start(self) -> "Inhabitant":
        argv = [sys.executable, "-m", "pudim_agent", "--config", str(self.state_dir / "agent.toml")]
        with (self.state_dir / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(self.host.inside(argv), stdout=log, stderr=log)
        return self

    def kill_and_start(self) -> None:
        self.downs.append(time.time() * 1000)
        self.kill()
        self.left_behind.append(self.written())
        self.start()


class Event(NamedTuple):
    at: float
    number: int
    do: Callable[[], None]


def trouble(agents: list[Inhabitant], pudim: RunningPudim, choose: random.Random) -> list[Event]:
    """What happens to whom, and when, in seconds: by the seed alone."""
    found: list[Event] = []

    def plan(at: float, what: Callable[[], None]) -> None:
        found.append(Event(at, len(found), what))

    for agent in agents[:2]:
        plan(choose.uniform(1, 3), agent.host.move)
    for agent in agents:
        host = agent.host
        harms = [
            (host.unplug, host.plug_in),
            (host.swallow, host.deliver),
            (host.lose_some, host.lose_none),
            (host.narrow, host.widen),
        ]
        at = choose.uniform(3, 6)
        while at < TROUBLE_SECONDS:
            begin, end = choose.choice(harms)
            lasts = choose.uniform(1, 6)
            plan(at, begin)
            plan(at + lasts, end)
            if choose.random() < 0.4:
                plan(at + lasts * choose.random(), agent.kill_and_start)
            at += lasts + choose.uniform(0.5, 4)
    for at in (choose.uniform(6, 10), choose.uniform(15, 20)):
        plan(at, pudim.kill)
        plan(at + choose.uniform(0.5, 3), partial(_start, pudim))
    return sorted(found)


def _start(pudim: RunningPudim) -> None:
    pudim.start()


@pytest.fixture(scope="module")
def neighbours() -> Iterator[list[NamedHost]]:
    with hosts(HOSTS) as found:
        if found is None:
            if os.environ.get("CI") and os.geteuid() == 0:
                pytest.fail(NOT_HERE)
            pytest.skip(NOT_HERE)
        yield found


def test_ten_hosts(neighbours: list[NamedHost], tmp_path: Path) -> None:
    program = ("-m", "pudim.cli", "up", "--no-browser", "--host", "0.0.0.0")  # noqa: S104 - for a moment, in a test
    with (
        tempfile.TemporaryDirectory(prefix="pudim-test-") as folder,
        RunningPudim(Path(folder) / "data", program=program) as pudim,
    ):
        agents = [
            Inhabitant(pudim, tmp_path / f"host-{number}", host=host)
            for number, host in enumerate(neighbours)
        ]
        try:
            for agent in agents:
                agent.enrol().start()
            for event in happening(trouble(agents, pudim, random.Random(SEED))):  # noqa: S311 - the same each time
                event.do()
            stored = [Stored(pudim.data_dir, agent.server_id) for agent in agents]
            for one in stored:
                wait_for(partial(is_up_to_date, one), PATIENCE)
        finally:
            for agent in agents:
                agent.stop()
        for agent, one in zip(agents, stored, strict=True):
            each_sample_once(agent, one)


def happening(events: list[Event]) -> Iterator[Event]:
    began = time.monotonic()
    for event in events:
        time.sleep(max(0.0, began + event.at - time.monotonic()))
        yield event


def is_up_to_date(stored: Stored) -> bool:
    times = stored.times()
    return bool(times) and time.time() * 1000 - times[-1] < 4 * TICK


class Noted(NamedTuple):
    boot_id: bytes
    seq: int


def noted(agent: Inhabitant) -> list[Noted]:
    """The last acknowledgement that a stopped agent wrote down, and what its spool holds behind it, in order."""
    content = (agent.state_dir / "spool" / "acked").read_bytes()
    found = [Noted(content[:16], int.from_bytes(content[16:24], "little"))]
    spool = Spool(agent.state_dir / "spool")
    while entry := spool.read():
        found.append(Noted(entry.boot_id, entry.seq))
    spool.close()
    return found


def each_sample_once(agent: Inhabitant, stored: Stored) -> None:
    frames = settled_frames(stored)
    times = [time_ms for time_ms, _ in frames]
    name = agent.state_dir.name
    assert len(times) == len(set(times)), f"{name}: a sample is stored twice"
    ledger = stored.ledger()
    assert all(lost == 0 for _, lost in ledger.values()), f"{name}: {ledger}"
    assert sum(last for last, _ in ledger.values()) == len(times), f"{name}: batches and frames differ"
    for (
        boot_id,
        newest,
    ) in agent.left_behind:  # when it was killed, its spool had this, and perhaps nothing else did
        assert ledger.get(boot_id, (0, 0))[0] >= newest, f"{name}: what it had written down is missing"
    acknowledged, *left = noted(agent)
    assert ledger[acknowledged.boot_id][0] >= acknowledged.seq, f"{name}: what was acknowledged is missing"
    for boot_id in {one.boot_id for one in left}:
        begin = next(one.seq for one in left if one.boot_id == boot_id)
        assert begin <= ledger.get(boot_id, (0, 0))[0] + 1, f"{name}: neither stored nor kept"
    assert len(ledger) <= len(agent.downs) + 1
    missed = stored.position("pudim.agent.ticks.missed")
    for (before, earlier), (after, later) in pairwise(frames):
        absent = (after - before) // TICK - 1
        told = later[missed] - earlier[missed] == absent
        restarted = any(before <= down <= after for down in agent.downs)
        assert not absent or told or restarted, f"{name}: {absent} samples before {after} are missing unsaid"
