"""The signed path under load: simulated agents -> websocket -> verify -> commit -> acknowledge.

`pudim up` runs as always (its own agent too); the generator is a process of its own. Three runs: single-frame
batches, catching up with 60-frame batches, and a paced fleet for the time from sending to acknowledgement.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from pudim.wire import enrolment, keys
from tests.running import UNHINDERED, RunningPudim


@dataclass
class Run:
    """What one load did to the collector and to PostgreSQL."""

    samples: int
    messages: int
    seconds: float
    samples_per_second: float
    collector_cpu_s: float
    postgres_cpu_s: float
    generator_cpu_s: float
    cpu_s_per_million: float
    postgres_cpu_s_per_million: float
    ack_p50_ms: float
    ack_p99_ms: float
    bytes_per_sample: float


def enrol(pudim: RunningPudim, _: int) -> dict[str, str]:
    issued = pudim.call("/api/v2/enrolment-tokens", {})
    token, collector = issued["token"], keys.public_from_bytes(keys.from_text(issued["collector_key"]))
    key = keys.generate()
    answer = pudim.call(
        enrolment.ENROL_PATH,
        {
            "token": token,
            "public_key": keys.to_text(keys.public_bytes(key)),
            "proof": keys.to_text(enrolment.sign_request(token, key, collector)),
            "facts": {"host.name": "bench"},
        },
    )
    return {
        "id": answer["agent_id"],
        "key": keys.private_bytes(key).hex(),
        "collector": keys.public_bytes(collector).hex(),
    }


def cpu_seconds(process: psutil.Process, *, children: bool = False) -> float:
    """User and system time; with `children` of the whole tree, ended ones included."""
    used = process.cpu_times()
    total = float(used.user + used.system)
    if children:
        total += (
            used.children_user
            + used.children_system
            + sum(map(cpu_seconds, process.children(recursive=True)))
        )
    return total


def postmaster(pudim: RunningPudim) -> psutil.Process:
    pid = (pudim.data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0]
    return psutil.Process(int(pid))


def table_bytes(pudim: RunningPudim) -> int:
    """Bytes on disk of frames with their index, out of the database's own files."""
    base = pudim.data_dir / "postgres" / "data" / "base"
    return sum(file.stat().st_blocks * 512 for file in base.rglob("*") if file.is_file())


def load(pudim: RunningPudim, agents: list[dict[str, str]], *options: str) -> Run:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(agents, file)
        file.flush()
        argv = [
            sys.executable,
            "-m",
            "tests.bench.load",
            "--port",
            str(pudim.port),
            "--agents",
            file.name,
            *options,
        ]
        generator = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert generator.stdin is not None
        assert generator.stdout is not None
        if generator.stdout.readline() != "ready\n":
            raise SystemExit("the generator could not connect")
        collector, postgres = psutil.Process(pudim.pid), postmaster(pudim)
        before = cpu_seconds(collector), cpu_seconds(postgres, children=True), table_bytes(pudim)
        generator.stdin.write("go\n")
        generator.stdin.flush()
        said = generator.stdout.readline()
        after = cpu_seconds(collector), cpu_seconds(postgres, children=True)
        if generator.wait(10) or not said:
            raise SystemExit("the generator failed")
    result = json.loads(said)
    millions = result["samples"] / 1e6
    # Sizes settle only with a checkpoint's flush of what is still in memory only.
    time.sleep(1)
    return Run(
        samples=result["samples"],
        messages=result["messages"],
        seconds=result["seconds"],
        samples_per_second=result["samples"] / result["seconds"],
        collector_cpu_s=after[0] - before[0],
        postgres_cpu_s=after[1] - before[1],
        generator_cpu_s=result["generator_cpu_s"],
        cpu_s_per_million=(after[0] - before[0]) / millions,
        postgres_cpu_s_per_million=(after[1] - before[1]) / millions,
        ack_p50_ms=result["ack_p50_ms"],
        ack_p99_ms=result["ack_p99_ms"],
        bytes_per_sample=(table_bytes(pudim) - before[2]) / result["samples"],
    )


def measure(chosen: argparse.Namespace) -> dict[str, Run]:
    with (
        tempfile.TemporaryDirectory(prefix="pudim-bench-") as folder,
        RunningPudim(Path(folder) / "data", environment=UNHINDERED) as pudim,
    ):
        with ThreadPoolExecutor(4) as pool:
            agents = list(pool.map(lambda number: enrol(pudim, number), range(chosen.agents)))
        # As long as asked for, at about the pace that is aimed at.
        single = max(2, round(chosen.seconds * 900_000 / (120 * chosen.agents)))
        many = max(2, round(chosen.seconds * 4_000_000 / (120 * 60 * min(200, chosen.agents))))
        return {
            "single": load(
                pudim, agents, "--batches", str(single), "--frames", "1", "--window", str(chosen.window)
            ),
            "catchup": load(pudim, agents[:200], "--batches", str(many), "--frames", "60", "--window", "4"),
            "paced": load(
                pudim,
                agents,
                "--batches",
                str(max(2, round(chosen.seconds))),
                "--frames",
                "1",
                "--pause",
                "1",
            ),
        }


def report(runs: dict[str, Run]) -> dict[str, float]:
    single, catchup, paced = runs["single"], runs["catchup"], runs["paced"]
    return {
        "samples_per_second": round(single.samples_per_second),
        "samples_per_second_catchup": round(catchup.samples_per_second),
        "cpu_s_per_million": round(single.cpu_s_per_million, 3),
        "cpu_s_per_million_catchup": round(catchup.cpu_s_per_million, 3),
        "postgres_cpu_s_per_million": round(single.postgres_cpu_s_per_million, 3),
        "postgres_cpu_s_per_million_catchup": round(catchup.postgres_cpu_s_per_million, 3),
        "ack_p50_ms": round(single.ack_p50_ms, 1),
        "ack_p99_ms": round(single.ack_p99_ms, 1),
        "paced_samples_per_second": round(paced.samples_per_second),
        "paced_ack_p50_ms": round(paced.ack_p50_ms, 1),
        "paced_ack_p99_ms": round(paced.ack_p99_ms, 1),
        "bytes_per_sample": round(catchup.bytes_per_sample, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=15, help="about how long each run takes")
    parser.add_argument("--agents", type=int, default=500, help="connections")
    parser.add_argument(
        "--window", type=int, default=4, help="unacknowledged single-frame batches of an agent"
    )
    chosen = parser.parse_args()
    runs = measure(chosen)
    figures = report(runs)
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{chosen.agents} agents, window {chosen.window}; generator and PostgreSQL on the same machine")
    for name, figure in figures.items():
        print(f"{name:36} {figure:>14,}")
    for name, run in runs.items():
        print(f"{name}: " + ", ".join(f"{key} {round(value, 3):,}" for key, value in asdict(run).items()))


if __name__ == "__main__":
    main()
