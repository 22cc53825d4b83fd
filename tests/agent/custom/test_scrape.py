"""Exporters are read beside sampling: a real one is, and a hostile one costs a gap in its own series and nothing else."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import isnan
from typing import Any

import pytest

from pudim.wire.codec import unpack
from pudim_agent.config import ConfigFaults, parse
from pudim_agent.custom.own_addresses import is_own
from pudim_agent.samplers import Host, Reading, Tick
from pudim_agent.samplers.scrape import Scrape, ScrapeConfig, ScrapeTarget

TOP = f'url = "https://pudim.example.org"\ncollector_key = "{"A" * 43}"\n'
PLAIN = {"Content-Type": "text/plain; version=0.0.4"}
OPENMETRICS = {"Content-Type": "application/openmetrics-text; version=1.0.0; charset=utf-8"}
ANYWHERE = "0.0.0.0"  # noqa: S104 - to connect to, not to listen on
Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(
    body: bytes, status: str = "200 OK", headers: dict[str, str] | None = None, length: int | None = None
) -> Answering:
    async def write(to: asyncio.StreamWriter) -> None:
        lines = {"Content-Length": str(len(body) if length is None else length), **(headers or PLAIN)}
        head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
        to.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    return write


async def endless(to: asyncio.StreamWriter) -> None:
    to.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        to.write(b"a 1\n" * 10_000)
        await to.drain()


async def endless_headers(to: asyncio.StreamWriter) -> None:
    to.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        to.write(b"X-Pad: " + b"x" * 1000 + b"\r\n")
        await to.drain()


async def dribbling(to: asyncio.StreamWriter) -> None:
    to.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        to.write(b"a")
        await to.drain()
        await asyncio.sleep(0.01)


async def silent(_to: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def gone(to: asyncio.StreamWriter) -> None:
    to.close()


def bomb() -> bytes:
    """A gibibyte of line ends in a mebibyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    part = b"\n" * (1 << 20)
    return b"".join(packer.compress(part) for _ in range(1024)) + packer.flush()


class Exporter:
    """Answers each request with what it is told now, byte for byte."""

    def __init__(self) -> None:
        self.now: Answering = answer(b"a 1\n")
        self.requests: list[bytes] = []
        self.url = ""
        self._busy: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Exporter]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
        try:
            yield self
        finally:
            server.close()
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    async def _serve(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._busy.add(task)
        try:
            while True:
                self.requests.append(await reading.readuntil(b"\r\n\r\n"))
                await self.now(writing)
                await writing.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._busy.discard(task)
            writing.close()


class Scraping:
    """A sampler that is running, and what it gives."""

    def __init__(self, *targets: ScrapeTarget, **config: Any) -> None:
        self.host = Host()
        self.sampler = Scrape(self.host, ScrapeConfig(targets=targets, **config))

    def look(self, seconds: float = 0.0) -> dict[str, float]:
        now = asyncio.get_running_loop().time() + seconds
        readings: list[Reading] = list(self.sampler.sample(Tick(int(now * 1000), now)))
        return {
            one.metric + "".join(f" {key}={value}" for key, value in one.labels): value
            for reading in readings
            if reading.labels
            for one, value in zip(reading.series, reading.values, strict=True)
        }

    def told(self) -> Any:
        """What the collector heard last of each exporter."""
        *_, (_, message) = self.host.notices.since(0)
        return unpack(message)[3]["sources"]

    async def until(self, wanted: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        async with asyncio.timeout(20):
            while not wanted(found := self.look()):
                await asyncio.sleep(0.02)
        return found

    async def error(self) -> str:
        """What is said of an exporter that cannot be read."""
        await self.until(lambda found: found.get("pudim.scrape.up") == 0.0)
        said = self.sampler._share.origins["x"].error
        assert said
        return said


@asynccontextmanager
async def scraping(*targets: ScrapeTarget, **config: Any) -> AsyncIterator[Scraping]:
    found = Scraping(*targets, **config)
    task = asyncio.ensure_future(found.sampler.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    async with Exporter().running() as found:
        yield found


def target(exporter: Exporter, **options: Any) -> ScrapeTarget:
    return ScrapeTarget(**{"name": "x", "url": exporter.url, "interval_seconds": 0.05, **options})


def is_up(found: dict[str, float]) -> bool:
    return found.get("pudim.scrape.up") == 1.0


@pytest.mark.prometheus
async def test_a_real_node_exporter() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        "prometheus-node-exporter", f"--web.listen-address={address}", stderr=asyncio.subprocess.DEVNULL
    )
    try:
        node = ScrapeTarget(
            name="node", url=f"http://{address}/metrics", interval_seconds=0.2, drop=("go_*", "promhttp_*")
        )
        async with scraping(node) as found:
            values = await found.until(is_up)
            again = await found.until(lambda new: new["node_time_seconds"] > values["node_time_seconds"])
            readings = list(found.sampler.sample(Tick(0, asyncio.get_running_loop().time())))
    finally:
        process.terminate()
        await process.wait()
    assert values["node_memory_MemTotal_bytes"] > 1 << 20
    assert any(name.startswith("node_cpu_seconds_total cpu=0 mode=idle") for name in values)
    assert not any(name.startswith("go_") for name in values)
    assert again.keys() == values.keys()
    assert len(values) == values["pudim.scrape.samples"] + 3
    by_metric = {one.metric: one for reading in readings for one in reading.series}
    assert by_metric["node_memory_MemTotal_bytes"].unit == "By"
    assert dict(readings[1].labels) == {"pudim.custom": "scrape", "job": "node", "instance": address}


async def test_what_is_kept_dropped_and_added(exporter: Exporter) -> None:
    exporter.now = answer(b'web_a{job="mine",team="x"} 1\nweb_b 2\ndb_c 3\n')
    wanted = target(exporter, keep=("web_*",), drop=("*_b",), labels={"team": "shop"})
    async with scraping(wanted) as found:
        values = await found.until(is_up)
        (_, *_, reading) = found.sampler.sample(Tick(0, asyncio.get_running_loop().time()))
    assert values["web_a exported_job=mine exported_team=x"] == 1.0
    assert values["pudim.scrape.samples"] == 1.0
    assert "db_c" not in values
    assert dict(reading.labels)["team"] == "shop"


@pytest.mark.parametrize("packed", [False, True])
async def test_openmetrics_and_gzip(exporter: Exporter, packed: bool) -> None:
    text = b"# TYPE a counter\na_total 5.0 # {} 1\n# EOF\n"
    headers = {**OPENMETRICS, "Content-Encoding": "gzip"} if packed else OPENMETRICS
    exporter.now = answer(gzip.compress(text) if packed else text, headers=headers)
    async with scraping(target(exporter)) as found:
        assert (await found.until(is_up))["a_total"] == 5.0
    assert b"application/openmetrics-text" in exporter.requests[0]


async def test_what_was_not_fetched_again_is_not_known_after_two_intervals(exporter: Exporter) -> None:
    async with scraping(target(exporter, interval_seconds=30.0)) as found:
        await found.until(is_up)
        assert found.look(59)["a"] == 1.0
        assert isnan(found.look(61)["a"])
        assert "a" not in found.look(62)


async def test_a_series_that_goes_is_not_known_at_once(exporter: Exporter) -> None:
    exporter.now = answer(b"a 1\nb 2\n")
    async with scraping(target(exporter)) as found:
        await found.until(is_up)
        exporter.now = answer(b"a 3\n")
        values = await found.until(lambda new: new["a"] == 3.0)
        assert isnan(values["b"])


async def test_an_exporter_that_comes_back_is_read_again(exporter: Exporter) -> None:
    exporter.now = gone
    async with scraping(target(exporter)) as found:
        await found.error()
        exporter.now = answer(b"a 7\n")
        assert (await found.until(is_up))["a"] == 7.0
        assert found.sampler._share.origins["x"].error is None


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (silent, "no whole answer in 0.3 s"),
        (dribbling, "no whole answer in 0.3 s"),
        (endless, "more than 1048576 bytes"),
        (endless_headers, ""),
        (gone, "Server disconnected"),
        (answer(b"", "302 Found", {"Location": "http://169.254.169.254/latest/meta-data/"}), "answered 302; redirections are"),
        (answer(b"a 1\n", "500 Internal Server Error"), "answered 500"),
        (answer(b"a 1\n", length=100), "no whole answer in 0.3 s"),
        (answer(bomb(), headers={"Content-Encoding": "gzip"}), "more than 1048576 bytes"),
        (answer(b"no gzip", headers={"Content-Encoding": "gzip"}), "an answer that is not the gzip it says it is"),
        (answer(gzip.compress(b"a 1\n")[:-6], headers={"Content-Encoding": "gzip"}), "an answer that is cut short"),
        (answer(b"a 1\n", headers={"Content-Encoding": "br"}), "answered in an encoding that was not asked for"),
        (answer(b"<html>\n"), "line 1: no sample"),
        (answer(b"a 1\n", headers=OPENMETRICS), "line 1: ends without # EOF"),
        (answer(b"a 1\na 2\n"), "line 2: a series that comes twice"),
        (answer(b"a 1\n" * 60_000), "line 2: a series that comes twice"),
        (answer(b"".join(b"a%d 1\n" % one for one in range(60_000))), "line 50001: more than 50000 samples"),
    ],
)  # fmt: skip
async def test_a_hostile_exporter_is_given_up_in_time_and_says_why(
    exporter: Exporter, behaviour: Answering, said: str
) -> None:
    exporter.now = behaviour
    wanted = target(exporter, timeout_seconds=0.3, max_mebibytes=1)
    async with scraping(wanted) as found:
        assert (await found.error()).startswith(said)
        assert found.look(31).keys() == {"pudim.scrape.up", "pudim.scrape.duration", "pudim.scrape.samples"}
        (source,) = found.told()
    assert source["name"] == "x"
    assert source["error"].startswith(said)


async def test_one_hostile_exporter_leaves_the_others_alone(exporter: Exporter) -> None:
    exporter.now = endless
    async with Exporter().running() as good:
        bad = target(exporter, name="bad", timeout_seconds=0.3)
        async with scraping(bad, target(good)) as found:
            assert (await found.until(is_up_anywhere))["a"] == 1.0


def is_up_anywhere(found: dict[str, float]) -> bool:
    return found.get("a") == 1.0


async def test_too_many_series_end_at_the_cap_and_the_known_go_on(exporter: Exporter) -> None:
    exporter.now = answer(b"good 1\n" + b"".join(b'hits{user="%d"} 1\n' % one for one in range(500)))
    async with scraping(target(exporter), max_series=103) as found:
        values = await found.until(is_up)
        assert len(values) == 103
        assert values["good"] == 1.0
        found.look(31)
        (told,) = found.told()
    assert told["series"] == 103
    assert 250 < told["dropped"] < 600  # of 400, counted in little memory
    assert told["offender"].startswith("'hits' has ")


async def test_a_name_that_leads_elsewhere_is_not_followed(exporter: Exporter) -> None:
    """`localhost` is this host; a name of another, or one whose address changed since, is no more than an error."""
    port = exporter.url.rpartition(":")[2]
    async with scraping(target(exporter, url=f"http://localhost:{port}")) as found:
        assert is_up(await found.until(is_up))
    for address in (
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "0xa9fea9fe",
        "0xa9.0xfe.0xa9.0xfe",
        ANYWHERE,
        "192.0.2.1",
    ):
        async with scraping(target(exporter, url=f"http://{address}/")) as found:
            assert "is not this host" in await found.error()


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1", True), ("127.5.5.5", True), ("::1", True), ("169.254.169.254", False), ("192.0.2.1", False),
     (ANYWHERE, False), ("224.0.0.1", False), ("255.255.255.255", False), ("::", False), ("::ffff:192.0.2.1", False),
     ("2001:db8::1", False), ("fe80::1", False)],
)  # fmt: skip
def test_which_addresses_are_own(address: str, expected: bool) -> None:
    assert is_own(address) is expected


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ('url = "http://192.0.2.1/"', "samplers.scrape.targets[0].url: 192.0.2.1 is not this host"),
        ('url = "file:///etc/passwd"', "samplers.scrape.targets[0].url: must start with http"),
        ('url = "http://\uff11\uff16\uff19.254.169.254/"', "samplers.scrape.targets[0].url: must start with http"),
        ('url = "http://a:b@127.0.0.1/"', "samplers.scrape.targets[0].url: names and passwords"),
        ('url = "http://127.0.0.1:99999/"', "samplers.scrape.targets[0].url: Port out of range"),
        ("", "samplers.scrape.targets[0].url: missing"),
        ('url = "http://[::1]/"\nlabels = {job = "x"}', "samplers.scrape.targets[0].labels: job is set already"),
        ('url = "http://[::1]/"\nlabels = {job = 1}', "samplers.scrape.targets[0].labels: must be a table of texts"),
        ('url = "http://[::1]/"\ninterval_seconds = 0.1', "samplers.scrape.targets[0].interval_seconds: must be from"),
        ('url = "http://[::1]/"\nkeeep = []', "samplers.scrape.targets[0].keeep: unknown; did you mean 'keep'?"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(options: str, fault: str) -> None:
    with pytest.raises(ConfigFaults) as caught:
        parse(f'{TOP}[[samplers.scrape.targets]]\nname = "x"\n{options}\n')
    assert any(fault in one for one in caught.value.faults), caught.value.faults


def test_two_of_one_name_and_no_list() -> None:
    one = '[[samplers.scrape.targets]]\nname = "x"\nurl = "http://127.0.0.1/"\n'
    with pytest.raises(ConfigFaults, match="'x' is taken"):
        parse(TOP + one + one)
    with pytest.raises(ConfigFaults, match="must be a list of tables"):
        parse(f"{TOP}[samplers.scrape]\ntargets = 1\n")


def test_a_right_one() -> None:
    text = '[[samplers.scrape.targets]]\nname = "x"\nurl = "http://192.0.2.1/"\nallow_remote = true\nlabels = {a = "b"}\n'
    (found,) = parse(TOP + text).samplers["scrape"].targets  # type: ignore[attr-defined]
    assert found == ScrapeTarget("x", "http://192.0.2.1/", allow_remote=True, labels={"a": "b"})
