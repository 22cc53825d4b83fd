"""An agent in a process of its own beside a running Pudim, and what the database says it has stored of it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

import psycopg

from pudim.wire.layouts import Layout, Series, Source
from pudim_agent import records
from pudim_agent.assembly import Frame
from pudim_agent.spool import Spool
from pudim_collector.series.blocks import Block, unpack_frame_block
from tests.running import RunningPudim

INTERVAL_MS = 100
"""A hundred times faster than a host is sampled, so that six seconds are as many samples as ten minutes."""
PATIENCE = 60.0


def wait_for(what: Callable[[], object], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@dataclass
class FastAgent:
    """An enrolled agent that samples every 100 ms; `url` may lead to it by way of something that fails."""

    pudim: RunningPudim
    state_dir: Path
    url: str = ""
    process: subprocess.Popen[bytes] | None = None
    server_id: str = ""

    def enrol(self) -> Self:
        issued = self.pudim.call("/api/v2/enrolment-tokens", {"name": self.state_dir.name})
        subprocess.run(
            [
                *(sys.executable, "-m", "pudim.cli", "agent", "enrol"),
                *("--url", self.url or f"http://127.0.0.1:{self.pudim.port}", "--token", issued["token"]),
                *("--collector-key", issued["collector_key"], "--interval-ms", str(INTERVAL_MS)),
                *("--state-dir", str(self.state_dir)),
            ],
            check=True,
            timeout=30,
        )
        servers = self.pudim.call("/api/v2/servers")["items"]
        (self.server_id,) = [one["id"] for one in servers if one["name"] == self.state_dir.name]
        return self

    def remember(self, past: Mapping[int, float]) -> None:
        """Fill its spool, before it is started, with frames of one series, by milliseconds."""
        source = Source("past", (), Layout((Series("past.value", "1"),)))
        spool = Spool(self.state_dir / "spool")
        for time_ms, value in past.items():
            spool.append([Frame(source, [value])], time_ms)
        spool.close()

    @property
    def log(self) -> str:
        return (self.state_dir / "agent.log").read_text(errors="replace")

    def start(self) -> Self:
        with (self.state_dir / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pudim_agent", "--config", str(self.state_dir / "agent.toml")],
                stdout=log,
                stderr=log,
            )
        return self

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def written(self) -> tuple[bytes, int]:
        """Boot and sequence number of the newest batch in its spool."""
        newest = max((self.state_dir / "spool").glob("*.spool"))
        boot, *rest = records.whole_records(newest.read_bytes())
        batches = [records.decode_batch(one) for one in rest if records.is_batch(one)]
        return records.decode_boot(boot), batches[-1].seq

    def stop(self) -> None:
        """As systemd does; what is not acknowledged stays in the spool."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self.enrol().start()

    def __exit__(self, *_: object) -> None:
        self.stop()


Rows: TypeAlias = list[tuple[int, tuple[float, ...]]]
"""Milliseconds and values."""
_ROWS = """
SELECT (extract(epoch FROM time) * 1000)::bigint, values FROM frames JOIN sources USING (source_id)
WHERE server_id = %(server)s AND sources.name = %(name)s
"""
_BLOCKS = """
SELECT block.rows, block.times, block.offsets, block.body FROM frame_blocks AS block JOIN sources USING (source_id)
WHERE server_id = %(server)s AND sources.name = %(name)s
"""


@dataclass
class Stored:
    """What is on disk of one server, read from the database itself."""

    data_dir: Path
    server_id: str

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        pid_file = self.data_dir / "postgres" / "data" / "postmaster.pid"
        folder = pid_file.read_text().splitlines()[4]
        return psycopg.connect(host=folder, port=5432, user="pudim", dbname="pudim")

    def rows(self, query: str, **parameters: str) -> list[tuple[object, ...]]:
        with self.connect() as connection:
            return connection.execute(query, {"server": self.server_id, **parameters}).fetchall()

    def frames(self, name: str) -> Rows:
        """Every frame of the sources of this name, as rows and in blocks at one moment, in order of time."""
        found: Rows = []
        with self.connect() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            parameters = {"server": self.server_id, "name": name}
            for time_ms, values in connection.execute(_ROWS, parameters):
                found.append((int(str(time_ms)), tuple(values)))  # type: ignore[arg-type]
            for block in connection.execute(_BLOCKS, parameters):
                times, values = unpack_frame_block(Block(*block))  # type: ignore[arg-type]
                found += zip(times.tolist(), map(tuple, values.tolist()), strict=True)
        return sorted(found, key=lambda frame: frame[0])

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile commits begin and do not end."""
        with self.connect() as connection:
            connection.execute("LOCK TABLE frames")
            yield

    def count(self) -> int:
        return len(self.times())

    def times(self, name: str = "host") -> list[int]:
        """Milliseconds of every frame, in order, repeated if it is there more than once."""
        return [time_ms for time_ms, _ in self.frames(name)]

    def position(self, metric: str) -> int:
        """Where a metric stands in a frame of the host."""
        ((position,),) = self.rows(
            "SELECT DISTINCT one.position FROM sources JOIN layouts USING (layout_id)"
            " CROSS JOIN LATERAL jsonb_array_elements(layouts.series) WITH ORDINALITY AS one (series, position)"
            " WHERE server_id = %(server)s AND sources.name = 'host' AND one.series ->> 0 = %(metric)s",
            metric=metric,
        )
        return int(str(position)) - 1

    def ledger(self) -> dict[bytes, tuple[int, int]]:
        """Boot -> (last sequence number, lost batches)."""
        found = self.rows("SELECT boot_id, last_seq, lost FROM ledger WHERE server_id = %(server)s")
        return {bytes(row[0]): (int(str(row[1])), int(str(row[2]))) for row in found}  # type: ignore[arg-type]


def settled_frames(stored: Stored) -> Rows:
    """Once the agent has ended, what it had sent last may still be on its way to the disk."""
    frames = stored.frames("host")
    while True:
        time.sleep(1)
        before, frames = frames, stored.frames("host")
        if len(before) == len(frames):
            return frames


def every_tick_once(stored: Stored, *, restarts: int = 0, others: int = 0) -> None:
    """Each tick of the agent's clock is stored exactly once.

    The agent itself counts the ticks that it could not take in time (a busy machine), in each frame; a restart
    of the agent begins a new count and may fall between two ticks. `others` are batches without a frame of the host.
    """
    frames = settled_frames(stored)
    times = [time_ms for time_ms, _ in frames]
    assert len(times) == len(set(times)), "a tick is stored twice"
    ticks = (times[-1] - times[0]) // INTERVAL_MS + 1
    if not restarts:
        missed = frames[-1][1][stored.position("pudim.agent.ticks.missed")]
        assert ticks - len(times) == missed, f"{len(times)} of {ticks} ticks, {missed} were missed"
    assert {time % INTERVAL_MS for time in times} == {0}
    for last_seq, lost in stored.ledger().values():
        assert last_seq > 0
        assert lost == 0
    batches = sum(last_seq for last_seq, _ in stored.ledger().values())
    assert batches == len(times) + others, f"{batches} batches and {len(times)} frames"
