"""Whether the collector's memory stays flat: a paced fleet and readers for as long as one likes, its size each minute."""

import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import psutil

from tests.bench.client import Client
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


def watch_under_load(pudim: RunningPudim, servers: list[str], hours: int, minutes: float) -> dict[str, Any]:
    stop = threading.Event()
    headers = {"Authorization": f"Bearer {pudim.access['api_token']}"}
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_on, pudim.port, headers, pudims(servers, hours), stop)
        try:
            sizes = watch(psutil.Process(pudim.pid), minutes)
        finally:
            stop.set()
        asked = reading.result()
    settled = sizes[WARM_MINUTES:] if len(sizes) > WARM_MINUTES + 1 else sizes
    slope = float(np.polyfit(np.arange(len(settled)), settled, 1)[0]) if len(settled) > 1 else 0.0
    return {
        "minutes": minutes,
        "reads": asked,
        "rss_mb": [round(size, 1) for size in sizes],
        "rss_mb_per_hour": round(slope * 60, 2),
    }


def watch(collector: psutil.Process, minutes: float) -> list[float]:
    """Mebibytes at the beginning and at the end of each minute."""
    sizes = [collector.memory_info().rss / 2**20]
    for minute in range(round(minutes)):
        time.sleep(60)
        sizes.append(collector.memory_info().rss / 2**20)
        print(f"  minute {minute + 1}: {sizes[-1]:.1f} MB", file=sys.stderr, flush=True)
    return sizes
