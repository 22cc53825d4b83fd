"""What the agent costs its host: CPU and memory at the normal interval, streaming to a real collector.

`pudim up` runs as always and its agent is measured from outside, out of /proc, after it has settled.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import psutil

from tests.running import RunningPudim

SETTLE_SECONDS = 30.0


def agent_of(pudim: RunningPudim) -> psutil.Process:
    config = str(pudim.data_dir / "agent" / "agent.toml")
    for process in psutil.process_iter(["cmdline"]):
        if config in (process.info["cmdline"] or []):
            return process
    raise SystemExit("the agent does not run")


def measure(seconds: float) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory(prefix="pudim-bench-") as folder,
        RunningPudim(Path(folder) / "data") as pudim,
    ):
        time.sleep(SETTLE_SECONDS)
        agent = agent_of(pudim)
        before, started = agent.cpu_times(), time.monotonic()
        resident = []
        while time.monotonic() - started < seconds:
            time.sleep(min(5.0, seconds))
            resident.append(agent.memory_info().rss / 2**20)
        after, elapsed = agent.cpu_times(), time.monotonic() - started
        used = after.user + after.system - before.user - before.system
        return {
            "rss_mb": round(max(resident), 1),
            "cpu_percent": round(100 * used / elapsed, 3),
            "uss_mb": round(agent.memory_full_info().uss / 2**20, 1),
            "seconds": round(elapsed, 1),
            "processes": len(psutil.pids()),
            "series": len(
                pudim.call(f"/api/v2/servers/{pudim.call('/api/v2/servers')['items'][0]['id']}/latest")
            ),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=180, help="how long it is watched, after settling")
    chosen = parser.parse_args()
    figures = measure(chosen.seconds)
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    for name, figure in figures.items():
        print(f"{name:16} {figure:>10,}")


if __name__ == "__main__":
    main()
