"""Whether the collector's memory stays flat: a paced fleet and readers for as long as one likes, its size each minute."""

import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.bench.client import Client
from tests.bench.ingest import enrol
from tests.bench.questions import Question, pudims
from tests.running import RunningPudim

WARM_MINUTES = 3
"""Left out of the slope: caches and the heap grow to their size first."""
READS_A_SECOND = 10


def read_on(port: int, headers: dict[str, str], questions: list[Question], stop: threading.Event) -> int:
    """Each kind of question in turn, some a second, until told to stop. How many."""
    chance, asked = random.Random(7), 0  # noqa: S311 - which series is no secret
    with Client(port, headers) as client:
        while not stop.wait(1 / READS_A_SECOND):
            client.get(questions[asked % len(questions)].path(chance))
            asked += 1
    return asked


def soak(servers: int, minutes: float) -> dict[str, Any]:
    """Every agent sends one frame a second; that is ten times what it does when nobody watches."""
    from tests.bench.store import Generator, say

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pudim-bench-"))
        pudim = stack.enter_context(RunningPudim(Path(folder) / "data"))
        with ThreadPoolExecutor(4) as pool:
            agents = list(pool.map(lambda number: enrol(pudim, number), range(servers)))
        batches = str(round(minutes * 60) + 120)
        options = ("--batches", batches, "--frames", "1", "--pause", "1", "--interval-ms", "1000")
        generator = Generator(pudim, agents, *options, "--start", str(int(time.time())))
        stack.callback(generator.end)
        generator.go()
        time.sleep(5)
        stop = threading.Event()
        headers = {"Authorization": f"Bearer {pudim.access['api_token']}"}
        questions = pudims([agent["id"] for agent in agents], 24)
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read_on, pudim.port, headers, questions, stop)
            try:
                sizes = watch(psutil.Process(pudim.pid), minutes, say)
            finally:
                stop.set()
            asked = reading.result()
    settled = sizes[WARM_MINUTES:] if len(sizes) > WARM_MINUTES + 1 else sizes
    slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0]) if len(settled) > 1 else 0.0
    return {
        "servers": servers,
        "frames_per_second": servers,
        "minutes": minutes,
        "reads": asked,
        "rss_mb": [round(size, 1) for size in sizes],
        "rss_mb_per_hour": round(slope * 60, 2),
    }


def watch(collector: psutil.Process, minutes: float, say: Any) -> list[float]:
    """Mebibytes at the beginning and at the end of each minute."""
    sizes = [collector.memory_info().rss / 2**20]
    for minute in range(round(minutes)):
        time.sleep(60)
        sizes.append(collector.memory_info().rss / 2**20)
        say(f"  minute {minute + 1}: {sizes[-1]:.1f} MB")
    return sizes
