"""The store under the questions of a fleet: loads 24 hours of many servers through the signed path, then asks.

`pudim up` runs as always. Frames come from simulated agents, catching up as after an outage; once the upkeep has rolled
them up and made them small, a paced fleet goes on sending while the HTTP API is asked. Where Prometheus and
VictoriaMetrics are installed, they are loaded with the same values and asked the same, in the same run.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.bench.client import Client, Timing
from tests.bench.database import Storage
from tests.bench.ingest import cpu_seconds, enrol, postmaster
from tests.bench.load import INTERVAL_MS, WIDTH
from tests.bench.peers import Prometheus, VictoriaMetrics, installed
from tests.bench.questions import WARM, ask, chart_paths, load_page, pudims
from tests.bench.soak import watch_under_load
from tests.running import UNHINDERED, RunningPudim

TICK = INTERVAL_MS // 1000
FRAMES_A_BATCH = 60
HOURS_A_ROUND = 4
"""So that the generator holds a few hundred megabytes of sealed messages, not all of them."""
A_TURN = 150
"""Seconds in which every job of the collector has its turn."""
A_PASS = 65
"""Seconds in which the upkeep has rolled up what came late."""
LONGEST_REST = 300
QUIET_LOOKS = 20
Agents = list[dict[str, str]]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Generator:
    """`tests.bench.load` in a process of its own, for some agents."""

    def __init__(self, pudim: RunningPudim, agents: Agents, *options: str) -> None:
        self._file = tempfile.NamedTemporaryFile("w", suffix=".json")  # noqa: SIM115 - lives as long as the process
        json.dump(agents, self._file)
        self._file.flush()
        argv = [
            sys.executable,
            "-m",
            "tests.bench.load",
            "--port",
            str(pudim.port),
            "--agents",
            self._file.name,
        ]
        self._process = subprocess.Popen(
            [*argv, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._line()

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, float]:
        found: dict[str, float] = json.loads(self._line())
        self._process.wait(30)
        return found

    def end(self) -> None:
        """Before it is done by itself, which it must not be: whoever asked meant it to go on."""
        if self._process.poll() is not None:
            raise SystemExit("the generator ended early")
        self._process.terminate()
        self._process.wait(30)

    def _line(self) -> str:
        assert self._process.stdout is not None
        if not (line := self._process.stdout.readline()):
            raise SystemExit("the generator failed")
        return line


class Watched:
    """The collector's memory, and its CPU time with the database's."""

    def __init__(self, pudim: RunningPudim) -> None:
        self._process = psutil.Process(pudim.pid)
        self._postmaster = None if os.environ.get("PUDIM_DATABASE_URL") else postmaster(pudim)
        self.most = 0.0

    @property
    def mebibytes(self) -> float:
        found: float = self._process.memory_info().rss / 2**20
        self.most = max(self.most, found)
        return found

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self._process)

    @property
    def database_cpu_seconds(self) -> float:
        """Of the embedded server only."""
        return cpu_seconds(self._postmaster, children=True) if self._postmaster else 0.0


def load(pudim: RunningPudim, agents: Agents, start: int, end: int, watched: Watched) -> float:
    """Every frame from `start` until before `end`, in Unix seconds. How long it took, without preparing messages."""
    seconds, at = 0.0, start
    while at < end:
        until = min(at + HOURS_A_ROUND * 3600, end)
        ticks = (until - at) // TICK
        frames = FRAMES_A_BATCH if ticks % FRAMES_A_BATCH == 0 else 1
        generator = Generator(
            pudim,
            agents,
            *(
                "--batches",
                str(ticks // frames),
                "--frames",
                str(frames),
                "--window",
                "4",
                "--start",
                str(at),
            ),
        )
        generator.go()
        result = generator.result()
        seconds += result["seconds"]
        say(
            f"  {(until - start) / 3600:.1f} h loaded, {result['samples'] / result['seconds']:,.0f} samples/s,"
            f" collector {watched.mebibytes:.0f} MB"
        )
        at = until
    return seconds


def settle(storage: Storage, patience: float, watched: Watched) -> float:
    """Wait until the upkeep has nothing left to do but the open hour. How long that took."""
    started = time.monotonic()
    told = 0.0
    while left := storage.undone():
        waited = time.monotonic() - started
        if waited > patience:
            raise SystemExit(f"{left} hours of sources are not rolled up after {waited:.0f} s")
        if waited - told >= 20:
            say(f"  {left} hours of sources wait for the upkeep, collector {watched.mebibytes:.0f} MB")
            told = waited
        time.sleep(0.5)
    return time.monotonic() - started


def rest(storage: Storage) -> None:
    """Let what a day's load leaves behind be done: space given back (each two minutes), tables vacuumed.

    A day that came in a minute would otherwise be tidied up while the questions are asked, which a day never is.
    """
    say(f"  {A_TURN} s for space to be given back and tables to be vacuumed")
    time.sleep(A_TURN)
    quiet, ends = 0, time.monotonic() + LONGEST_REST
    while quiet < QUIET_LOOKS and time.monotonic() < ends:
        quiet = 0 if storage.busy() else quiet + 1
        time.sleep(0.5)
    if quiet < QUIET_LOOKS:
        say("  the database is still at work")


def last_tick() -> int:
    return int(time.time()) // TICK * TICK


def demo_server(pudim: RunningPudim, days: int, seed: int = 7) -> str:
    """The id of a simulated server with that many days of history."""
    argv = [*(sys.executable, "-m", "pudim.cli", "admin", "demo-data", "--servers", "1"), "--days", str(days)]
    subprocess.run(
        [*argv, "--seed", str(seed), "--data-dir", str(pudim.data_dir)], check=True, stdout=sys.stderr
    )
    (found,) = [one["id"] for one in pudim.call("/api/v2/servers")["items"] if one["name"] == "demo-web-1"]
    return str(found)


def question_pudim(
    pudim: RunningPudim, agents: Agents, chosen: argparse.Namespace, watched: Watched
) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {pudim.access['api_token']}"}
    figures: dict[str, float] = {}
    for one in pudims([agent["id"] for agent in agents], chosen.hours):
        before = watched.cpu_seconds, watched.database_cpu_seconds
        figures |= flat(one.name, ask(pudim.port, one, headers, chosen.requests))
        after = watched.cpu_seconds, watched.database_cpu_seconds
        # On a busy machine waiting says little; what was computed says the same as always.
        asked = chosen.requests + WARM
        figures[f"{one.name}_collector_cpu_ms"] = round((after[0] - before[0]) / asked * 1000, 2)
        figures[f"{one.name}_database_cpu_ms"] = round((after[1] - before[1]) / asked * 1000, 2)
    return figures


def question_page(pudim: RunningPudim, server: str, days: int) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {pudim.access['api_token']}"}
    with Client(pudim.port, headers) as client:
        page = client.get(f"/servers/{server}").decode()
    paths = chart_paths(page, server, f"{days}d")
    say(f"  a page of {len(paths)} requests")
    timing = load_page(pudim.port, headers, paths, loads=20)
    return flat(f"server_page_{days}d", timing) | {f"server_page_{days}d_ms": round(timing.p95_ms, 2)}


class Loaded(NamedTuple):
    """A Pudim with hours of many servers, rolled up and made small; and what that took."""

    pudim: RunningPudim
    storage: Storage
    watched: Watched
    agents: Agents
    start: int
    end: int
    figures: dict[str, Any]


def loaded(stack: ExitStack, chosen: argparse.Namespace) -> Loaded:
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pudim-bench-"))
    pudim = stack.enter_context(RunningPudim(Path(folder) / "data", environment=UNHINDERED))
    storage, watched = Storage(pudim.data_dir), Watched(pudim)
    with ThreadPoolExecutor(4) as pool:
        agents = list(pool.map(lambda number: enrol(pudim, number), range(chosen.servers)))
    end = last_tick()
    start = end - chosen.hours * 3600
    samples = chosen.servers * WIDTH * (end - start) // TICK
    say(f"{samples / 1e6:.0f} million samples of {chosen.servers} servers, {chosen.hours} h")
    busy = watched.cpu_seconds
    seconds = load(pudim, agents, start, end, watched)
    drained = settle(storage, chosen.patience, watched)
    busy = watched.cpu_seconds - busy
    figures: dict[str, Any] = {
        "servers": chosen.servers,
        "metrics": WIDTH,
        "hours": chosen.hours,
        "samples": samples,
        "ingest_samples_per_second": round(samples / seconds),
        "upkeep_after_load_s": round(drained, 1),
        "collector_cpu_s_per_million": round(busy / samples * 1e6, 3),
        "collector_rss_mb": round(watched.mebibytes),
        "collector_rss_most_mb": round(watched.most),
    }
    return Loaded(pudim, storage, watched, agents, start, end, figures | storage.figures(samples))


def measure(chosen: argparse.Namespace) -> dict[str, Any]:
    with ExitStack() as stack:
        pudim, storage, watched, agents, start, end, figures = loaded(stack, chosen)
        if chosen.page_days:
            page_server = demo_server(pudim, chosen.page_days)
        rest(storage)
        fleet = live_fleet(pudim, agents, end, watched)
        stack.callback(fleet.end)
        figures |= question_pudim(pudim, agents, chosen, watched)
        if chosen.page_days:
            figures |= question_page(pudim, page_server, chosen.page_days)
        figures["collector_rss_after_reads_mb"] = round(watched.mebibytes)
    if chosen.peers:
        for peer in (VictoriaMetrics, Prometheus):
            if installed(peer):
                figures |= question_peer(peer, chosen, start, end)
    return figures


def soak(chosen: argparse.Namespace) -> dict[str, Any]:
    """The collector's memory while a fleet goes on as ever, ten times as often as when nobody watches."""
    with ExitStack() as stack:
        pudim, storage, watched, agents, _, end, figures = loaded(stack, chosen)
        rest(storage)
        fleet = live_fleet(pudim, agents, end, watched, seconds=1, frames=round(chosen.soak * 60) + 120)
        stack.callback(fleet.end)
        return figures | watch_under_load(pudim, [agent["id"] for agent in agents], chosen.hours, chosen.soak)


def live_fleet(
    pudim: RunningPudim,
    agents: Agents,
    loaded_until: int,
    watched: Watched,
    *,
    seconds: int = TICK,
    frames: int = 2000,
) -> Generator:
    """What came meanwhile is sent and rolled up, then every agent sends a frame each so many `seconds`."""
    now = last_tick()
    if now > loaded_until:
        load(pudim, agents, loaded_until, now, watched)
        time.sleep(A_PASS)
        meanwhile, now = now, last_tick()
        load(pudim, agents, meanwhile, now, watched)
    pace = ("--frames", "1", "--pause", str(seconds), "--interval-ms", str(seconds * 1000))
    generator = Generator(pudim, agents, "--batches", str(frames), *pace, "--start", str(now))
    generator.go()
    time.sleep(seconds + 2)
    return generator


def question_peer(
    peer: type[Prometheus | VictoriaMetrics], chosen: argparse.Namespace, start: int, end: int
) -> dict[str, Any]:
    name = peer.name
    say(f"{name}: {chosen.peer_metrics} of {WIDTH} metrics of each server")
    with tempfile.TemporaryDirectory(prefix="pudim-bench-") as folder, peer(Path(folder)) as running:
        started = time.monotonic()
        samples = running.load(chosen.servers, chosen.peer_metrics, start, end, say)
        seconds = time.monotonic() - started
        asked = running.questions(chosen.servers, chosen.peer_metrics, end, chosen.hours)
        answered: dict[str, float] = {}
        for one in asked:
            answered |= flat(one.name, ask(running.port, one, {}, chosen.requests))
        figures = {
            f"{name}_samples": samples,
            f"{name}_load_samples_per_second": round(samples / seconds),
            f"{name}_bytes_per_sample": round(running.settled_bytes() / samples, 2),
            f"{name}_rss_mb": round(running.mebibytes),
        }
        return figures | {f"{name}_{key}": value for key, value in answered.items()}


def flat(name: str, timing: Timing) -> dict[str, float]:
    return {
        f"{name}_p95_ms": round(timing.p95_ms, 2),
        f"{name}_p50_ms": round(timing.p50_ms, 2),
        f"{name}_client_ms": round(timing.client_ms, 3),
        f"{name}_answer_bytes": round(timing.bytes),
    }


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--servers", type=int, default=200)
    parser.add_argument("--metrics", type=int, default=WIDTH, choices=[WIDTH], help="of each server")
    parser.add_argument("--hours", type=int, default=24, help="how much is loaded")
    parser.add_argument("--requests", type=int, default=1000, help="of each kind")
    parser.add_argument(
        "--page-days", type=int, default=90, help="history behind the server's page; 0 leaves it out"
    )
    parser.add_argument("--patience", type=float, default=900, help="seconds for the upkeep after the load")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--peer-metrics", type=int, default=12, help="of each server, for the peers load more slowly"
    )
    parser.add_argument(
        "--soak", type=float, default=0, metavar="MINUTES", help="instead: watch memory under load"
    )
    return parser


def main() -> None:
    chosen = options().parse_args()
    figures = soak(chosen) if chosen.soak else measure(chosen)
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    for name, figure in figures.items():
        told = f"{figure:,}" if isinstance(figure, int | float) else str(figure)
        print(f"{name:44} {told:>16}")


if __name__ == "__main__":
    main()
