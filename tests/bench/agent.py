"""What the agent costs its host: CPU and memory at the normal interval, streaming to a real collector.

`pudim up` runs as always, on a host with some hundred processes that sleep and some containers, and its agent is measured from outside, out
of /proc, after it has settled; so are other systems' agents if Debian's packages of them are installed, at the same time.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from tests.bench import agent_containers, agent_imports, agent_peers
from tests.running import RunningPudim

SETTLE_SECONDS = 30.0
LOOK_SECONDS = float(agent_peers.INTERVAL)
NORMAL_MS = 10_000


class Cost(NamedTuple):
    cpu_seconds: float
    resident: float
    """In mebibytes; with what it started, of which shared pages count twice."""


def agent_of(pudim: RunningPudim) -> psutil.Process:
    config = str(pudim.data_dir / "agent" / "agent.toml")
    for process in psutil.process_iter(["cmdline"]):
        if config in (process.info["cmdline"] or []):
            return process
    raise SystemExit("the agent does not run")


def cost(process: psutil.Process) -> Cost:
    """Also of its children, those that ended included."""
    used = resident = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times, memory = one.cpu_times(), one.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile, and is among its parent's
        used += times.user + times.system + times.children_user + times.children_system
        resident += memory / 2**20
    return Cost(used, resident)


def sleepers(count: int, stack: ExitStack) -> None:
    for _ in range(count):
        process = subprocess.Popen(["sleep", "1000000"])
        stack.callback(process.wait)
        stack.callback(process.terminate)


def host(stack: ExitStack, processes: int, containers: int) -> RunningPudim:
    """A host like others with a Pudim on it, settled."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pudim-bench-")))
    sleepers(processes, stack)
    if containers:
        agent_containers.put(containers, folder / "cgroup", stack)
    return stack.enter_context(RunningPudim(folder / "data"))


def measure(seconds: float, processes: int, containers: int, *, peers: bool) -> dict[str, Any]:
    with ExitStack() as stack:
        pudim = host(stack, processes, containers)
        folder = pudim.data_dir.parent
        others = [
            stack.enter_context(kind(folder / kind.name))
            for kind in (agent_peers.installed() if peers else ())
        ]
        time.sleep(SETTLE_SECONDS)
        agent = agent_of(pudim)
        watched = {"pudim": agent} | {other.name: other.process for other in others}
        costs = watch(watched, others, seconds)
        figures: dict[str, Any] = costs.pop("pudim")
        for other in others:
            costs[other.name]["values"] = other.values()
        server = pudim.call("/api/v2/servers")["items"][0]["id"]
        return figures | {
            "uss_mb": round(agent.memory_full_info().uss / 2**20, 1),
            "seconds": seconds,
            "processes": len(psutil.pids()),
            "containers": containers,
            "series": len(pudim.call(f"/api/v2/servers/{server}/latest")),
            "peers": costs,
        }


def watch(
    watched: dict[str, psutil.Process], others: list[agent_peers.Agent], seconds: float
) -> dict[str, dict[str, Any]]:
    """The greatest memory and the mean share of a core of each."""
    before, started = {name: cost(process) for name, process in watched.items()}, time.monotonic()
    resident = {name: [one.resident] for name, one in before.items()}
    while time.monotonic() - started < seconds:
        for other in others:
            other.ask()
        time.sleep(min(LOOK_SECONDS, seconds))
        for name, process in watched.items():
            resident[name].append(cost(process).resident)
    elapsed = time.monotonic() - started
    return {
        name: {
            "rss_mb": round(max(resident[name]), 1),
            "cpu_percent": round(100 * (cost(process).cpu_seconds - before[name].cpu_seconds) / elapsed, 3),
        }
        for name, process in watched.items()
    }


def hurried(pudim: RunningPudim, interval_ms: int, stack: ExitStack) -> psutil.Process:
    """One more agent of this host, that samples so often."""
    folder = pudim.data_dir.parent / "hurried"
    words = pudim.call("/api/v2/enrolment-tokens", {"name": "hurried"})["command"].split()
    token, key = (words[words.index(name) + 1] for name in ("--token", "--collector-key"))
    url, pudim_command = f"http://127.0.0.1:{pudim.port}", (sys.executable, "-m", "pudim.cli", "agent")
    subprocess.run(
        [
            *(*pudim_command, "enrol", "--url", url, "--token", token),
            *("--collector-key", key, "--state-dir", folder),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    config = folder / "agent.toml"
    config.write_text(
        f'url = "{url}"\ncollector_key = "{key}"\nstate_dir = "{folder}"\ninterval_ms = {interval_ms}\n'
    )
    process = subprocess.Popen([sys.executable, "-P", "-m", "pudim_agent", "--config", config])
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return psutil.Process(process.pid)


def soak(minutes: int, processes: int, containers: int, interval_ms: int | None) -> dict[str, Any]:
    """Memory minute by minute, and what it grows by in a day of samples each ten seconds if it goes on like that.

    What stays behind, stays behind of samples: taken each 0.1 s, those of a day are through in a quarter of an hour.
    """
    with ExitStack() as stack:
        pudim = host(stack, processes, containers)
        agent = agent_of(pudim) if interval_ms is None else hurried(pudim, interval_ms, stack)
        time.sleep(SETTLE_SECONDS)
        before, sizes = cost(agent), [cost(agent).resident]
        for minute in range(minutes):
            time.sleep(60)
            sizes.append(cost(agent).resident)
            print(f"  minute {minute + 1}: {sizes[-1]:.2f} MB", file=sys.stderr, flush=True)
        used = cost(agent).cpu_seconds - before.cpu_seconds
    settled = sizes[len(sizes) // 2 :]  # caches and the heap grow to their size first
    slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0]) if len(settled) > 1 else 0.0
    samples_a_minute = 60_000 / (interval_ms or NORMAL_MS)
    return {
        "minutes": minutes,
        "samples": round(minutes * samples_a_minute),
        "rss_mb": [round(size, 2) for size in sizes],
        "rss_mb_per_day": round(slope / samples_a_minute * 24 * 3_600_000 / NORMAL_MS, 2),
        "cpu_percent": round(100 * used / (60 * minutes), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=180, help="how long it is watched, after settling")
    parser.add_argument("--processes", type=int, default=200, help="how many sleep beside it")
    parser.add_argument("--containers", type=int, default=20, help="how many it sees, if run by root")
    parser.add_argument(agent_containers.INSIDE, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-peers", action="store_true", help="leave the agents of other systems out")
    parser.add_argument("--soak", type=int, metavar="MINUTES", help="watch its memory grow, or not, instead")
    parser.add_argument(
        "--interval-ms", type=int, help="with --soak: watch an agent that samples so often, such as 100"
    )
    parser.add_argument("--imports", action="store_true", help="say what each import costs, instead")
    chosen = parser.parse_args()
    containers = chosen.containers if agent_containers.possible() else 0
    if containers and not chosen.inside and not chosen.imports:
        agent_containers.go_inside("tests.bench.agent")
    if chosen.imports:
        figures = agent_imports.measure()
    elif chosen.soak:
        figures = soak(chosen.soak, chosen.processes, containers, chosen.interval_ms)
    else:
        figures = measure(chosen.seconds, chosen.processes, containers, peers=not chosen.no_peers)
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    show(figures)


def show(figures: dict[str, Any], indent: str = "") -> None:
    for name, figure in figures.items():
        if isinstance(figure, dict):
            print(f"{indent}{name}")
            show(figure, indent + "  ")
        else:
            print(f"{indent}{name:{24 - len(indent)}} {figure!s:>10}")


if __name__ == "__main__":
    main()
