"""Prometheus and VictoriaMetrics as Debian packages them, with the same values, asked the same questions."""

import http.client
import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote

import numpy as np
import psutil

from tests.bench import remote_write
from tests.bench.load import INTERVAL_MS, realistic
from tests.bench.questions import Question
from tests.running import free_port

TICK = INTERVAL_MS // 1000
_PATIENCE = 60.0
_WINDOW = 1800
"""Seconds of all series in one go: a store whose newest sample is much newer takes nothing older."""
_SERVERS_A_REQUEST = 10


class Peer:
    """One running store of others; started and ended here, by its process."""

    name: ClassVar[str]
    program: ClassVar[str]
    write_path: ClassVar[str] = "/api/v1/write"

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()

    def arguments(self) -> list[str]:
        raise NotImplementedError

    def settled_bytes(self) -> int:
        """On disk, once it has written what it keeps in memory first as far as it can be made to."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [self.program, *self.arguments()], stdout=log, stderr=log, cwd=self._folder
        )
        log.close()
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise SystemExit((self._folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)

    @property
    def mebibytes(self) -> float:
        found: float = psutil.Process(self._process.pid).memory_info().rss / 2**20
        return found

    def load(self, servers: int, metrics: int, start: int, end: int, say: Callable[[str], None]) -> int:
        """The first `metrics` of each server's values. How many samples."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        heads = [
            [
                remote_write.labels({"__name__": f"bench_metric_{n}", "server": str(server)})
                for n in chosen(metrics)
            ]
            for server in range(servers)
        ]
        ticks = (end - start) // TICK
        values = [
            realistic(ticks, server, start)[:, chosen(metrics)].astype(np.float64)
            for server in range(servers)
        ]
        for at, until in windows(start, end):
            rows = slice((at - start) // TICK, (until - start) // TICK)
            times = np.arange(at, until, TICK, dtype=np.int64) * 1000
            for first in range(0, servers, _SERVERS_A_REQUEST):
                series: list[tuple[bytes, bytes]] = []
                for server in range(first, min(first + _SERVERS_A_REQUEST, servers)):
                    series += zip(
                        heads[server], remote_write.samples(times, values[server][rows]), strict=True
                    )
                self._write(connection, remote_write.body(series))
            if (until - start) % (6 * 3600) == 0:
                say(f"  {(until - start) // 3600} h loaded")
        connection.close()
        self.settle()
        return servers * metrics * ticks

    def settle(self) -> None:
        """See to it that what was taken can be asked for."""

    def _write(self, connection: http.client.HTTPConnection, body: bytes) -> None:
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        connection.request("POST", self.write_path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status not in {200, 204}:
            raise SystemExit(f"{self.name}: {answer.status} {said[:500]!r}")

    def questions(self, servers: int, metrics: int, end: int, hours: int) -> list[Question]:
        def metric(chance: random.Random) -> str:
            return f"bench_metric_{chance.choice(chosen(metrics))}"

        def over(seconds: int, step: int) -> str:
            return f"&start={end - seconds}&end={end - step}&step={step}"

        def one(seconds: int, step: int) -> Callable[[random.Random], str]:
            return lambda chance: (
                "/api/v1/query_range?query="
                + quote(f'{metric(chance)}{{server="{chance.randrange(servers)}"}}')
                + over(seconds, step)
            )

        return [
            Question("one_series_1h", one(3600, TICK), _shape, (1, 360)),
            Question("one_series_24h", one(86_400, 20), _shape, (1, 180 * min(hours, 24))),
            Question(
                "fleet_1h",
                lambda chance: (
                    f"/api/v1/query_range?query={quote(f'avg_over_time({metric(chance)}[1m])')}{over(3600, 60)}"
                ),
                _shape,
                (servers, 60),
            ),
            Question(
                "top10",
                lambda chance: (
                    f"/api/v1/query?query={quote(f'topk(10, {metric(chance)})')}&time={end - TICK}"
                ),
                _vector_shape,
                (10, 1),
            ),
        ]

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/api/v1/query?query=vector(1)")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class VictoriaMetrics(Peer):
    name = "victoriametrics"
    program = "victoria-metrics"

    def arguments(self) -> list[str]:
        return [
            f"-storageDataPath={self._folder / 'data'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=1y",
            # Else answers to what was asked before come from memory, and the newest are left out as not settled.
            "-search.disableCache",
            "-search.latencyOffset=0s",
        ]

    def settle(self) -> None:
        self._call("/internal/force_flush")
        time.sleep(2)

    def settled_bytes(self) -> int:
        self._call("/internal/force_flush")
        self._call("/internal/force_merge")
        return _settled(self._folder / "data")

    def _call(self, path: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request("GET", path)
        connection.getresponse().read()
        connection.close()


class Prometheus(Peer):
    name = "prometheus"
    program = "prometheus"

    def arguments(self) -> list[str]:
        config = self._folder / "prometheus.yml"
        config.write_text("{}\n")
        return [
            f"--config.file={config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            "--storage.tsdb.retention.time=30d",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
        ]

    def settled_bytes(self) -> int:
        """Its blocks and its log, as they are: the newest two to three hours are in the log only."""
        return _settled(self._folder / "data")


def installed(peer: type[Peer]) -> bool:
    return shutil.which(peer.program) is not None


def chosen(metrics: int) -> list[int]:
    """Of each third of the metrics as many."""
    return [round(n) for n in np.linspace(0, 119, metrics)]


def windows(start: int, end: int) -> Iterator[tuple[int, int]]:
    for at in range(start, end, _WINDOW):
        yield at, min(at + _WINDOW, end)


def _settled(folder: Path) -> int:
    """Bytes on disk once they have stayed the same for some seconds."""
    before, deadline = -1, time.monotonic() + _PATIENCE
    while (now := _bytes(folder)) != before and time.monotonic() < deadline:
        before = now
        time.sleep(5)
    return now


def _bytes(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_blocks * 512 if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def _shape(body: bytes) -> tuple[int, int]:
    result = json.loads(body)["data"]["result"]
    return len(result), max((len(one["values"]) for one in result), default=0)


def _vector_shape(body: bytes) -> tuple[int, int]:
    return len(json.loads(body)["data"]["result"]), 1
