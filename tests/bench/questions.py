"""The questions that a store is asked, put to Pudim's own API: the same for every store that is compared."""

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape

from tests.bench.client import Client, Timing
from tests.bench.load import WIDTH

HOUR, DAY = 3600, 86_400
WARM = 20
BROWSERS_CONNECTIONS = 6
CHART_POINTS = 620
"""What a chart of half a desktop's width asks for."""
CHARTS_IN_VIEW, CHARTS_A_ROW = 4, 2
"""On a desktop, before one scrolls, and with each row that comes into view then."""


@dataclass(frozen=True)
class Question:
    """`path` makes one request of many like it; `shape` is what its answer holds: series and points of each."""

    name: str
    path: Callable[[random.Random], str]
    shape: Callable[[bytes], tuple[int, int]]
    expected: tuple[int, int]


def ask(port: int, question: Question, headers: dict[str, str], requests: int) -> Timing:
    """One request after the other on one connection, after some that do not count."""
    chance = random.Random(question.name)  # noqa: S311 - which series is no secret
    paths = [question.path(chance) for _ in range(WARM + requests)]
    with Client(port, headers) as client:
        for path in paths[:WARM]:
            body = client.get(path)
        check(question, body)
        client.busy, size, seconds = 0.0, 0, []
        for path in paths[WARM:]:
            started = time.perf_counter()
            size += len(client.get(path))
            seconds.append(time.perf_counter() - started)
        return Timing.of(seconds, client.busy, size)


def check(question: Question, body: bytes) -> None:
    """A fast answer to another question would be no figure. A point may be missing at each end."""
    series, points = question.shape(body)
    if series != question.expected[0] or abs(points - question.expected[1]) > max(2, points // 50):
        raise SystemExit(
            f"{question.name}: {series} series of {points} points instead of {question.expected}"
        )


def _metric(chance: random.Random) -> str:
    return f"bench.metric.{chance.randrange(WIDTH)}"


def _shape(body: bytes) -> tuple[int, int]:
    series = json.loads(body)["series"]
    return len(series), max((len(one["time"]) for one in series), default=0)


def _top_shape(body: bytes) -> tuple[int, int]:
    found = json.loads(body)
    return len(found if isinstance(found, list) else found["items"]), 1


def pudims(servers: Sequence[str], hours: int) -> list[Question]:
    def one(since: str) -> Callable[[random.Random], str]:
        return lambda chance: (
            f"/api/v2/series?metric={_metric(chance)}&server={chance.choice(servers)}&from={since}&points=5000"
        )

    return [
        Question("one_series_1h", one("-1h"), _shape, (1, 360)),
        Question("one_series_24h", one("-24h"), _shape, (1, 180 * min(hours, 24))),
        Question(
            "fleet_1h",
            lambda chance: f"/api/v2/series?metric={_metric(chance)}&from=-1h&step=60&column=avg",
            _shape,
            (len(servers), 60),
        ),
        Question(
            "top10",
            lambda chance: f"/api/v2/top?metric={_metric(chance)}&limit=10",
            _top_shape,
            (10, 1),
        ),
    ]


def chart_paths(page: str, server: str, span: str) -> list[str]:
    """What a server's page asks for once all its charts have been seen: those seen together ask together."""
    charts = [
        unescape(re.findall(r' metric="([^"]*)"', tag)[0]).split(",")
        for tag in re.findall(r"<pudim-chart[^>]*>", page)
    ]
    seen = [charts[:CHARTS_IN_VIEW]]
    seen += [charts[at : at + CHARTS_A_ROW] for at in range(CHARTS_IN_VIEW, len(charts), CHARTS_A_ROW)]
    over = f"server={server}&from=-{span}&to=now&points={CHART_POINTS}"
    paths = []
    for together in seen:
        metrics = [metric for chart in together for metric in chart]
        kind = "series" if len(metrics) == 1 else "charts"
        paths.append(f"/api/v2/{kind}?{over}" + "".join(f"&metric={metric}" for metric in metrics))
    return paths


def load_page(port: int, headers: dict[str, str], paths: Sequence[str], loads: int) -> Timing:
    """All requests of a page at once, on as many connections as a browser opens."""
    clients = [Client(port, headers).__enter__() for _ in range(BROWSERS_CONNECTIONS)]
    shares = [paths[n::BROWSERS_CONNECTIONS] for n in range(BROWSERS_CONNECTIONS)]

    def fetch(client: Client, share: Sequence[str]) -> int:
        return sum(len(client.get(path)) for path in share)

    try:
        with ThreadPoolExecutor(BROWSERS_CONNECTIONS) as pool:
            seconds, size = [], 0
            for number in range(loads + 2):
                started = time.perf_counter()
                received = sum(pool.map(fetch, clients, shares))
                if number >= 2:
                    seconds.append(time.perf_counter() - started)
                    size += received
                else:
                    for client in clients:
                        client.busy = 0.0
            return Timing.of(seconds, sum(client.busy for client in clients), size)
    finally:
        for client in clients:
            client.__exit__()
