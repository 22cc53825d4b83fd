"""Figures of Prometheus exporters on this host, fetched beside sampling; a tick reads the last answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import MAX_TEXT
from pudim_agent.custom.census import Origin
from pudim_agent.custom.exposition import samples
from pudim_agent.custom.filling import Filling
from pudim_agent.custom.names import KIND, NotKept, kept_labels
from pudim_agent.custom.own_addresses import is_address, is_own
from pudim_agent.custom.readings import counts_of, own, readings
from pudim_agent.deltas import NAN
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers
from pudim_agent.supervision import supervised

if TYPE_CHECKING:
    from pudim_agent.custom.fetching import Exporter

MOST_TARGETS = 50
STALE_AFTER = 2
"""Intervals after which a figure that was not fetched again is not known any more."""
_COUNTS = counts_of("scrape")
_OWN = tuple(own(f"pudim.scrape.{name}") for name in ("up", "duration", "samples"))
_NAME_KEYS = ("job", "instance")


@dataclass(frozen=True)
class ScrapeTarget:
    """One exporter. Its series carry `job` and `instance`, as a Prometheus would give them."""

    name: str = field(metadata={"help": "What it is called; the label `job`."})
    url: str = field(metadata={"help": "Where it answers, such as http://127.0.0.1:9100/metrics."})
    interval_seconds: float = field(
        default=10.0, metadata={"help": "Time between fetches.", "low": 1.0, "high": 3600.0}
    )
    timeout_seconds: float = field(
        default=5.0, metadata={"help": "Time for a whole answer.", "low": 0.1, "high": 60.0}
    )
    max_mebibytes: int = field(
        default=4, metadata={"help": "Size of an answer, unpacked.", "low": 1, "high": 64}
    )
    allow_remote: bool = field(default=False, metadata={"help": "Allow an address of another host."})
    ca_file: Path | None = field(
        default=None, metadata={"help": "Certificates to trust instead of the system's."}
    )
    keep: tuple[str, ...] = field(
        default=("*",), metadata={"help": "Names of metrics that are wanted, as shell patterns."}
    )
    drop: tuple[str, ...] = field(
        default=(), metadata={"help": "Of these, names of metrics that are not, as shell patterns."}
    )
    labels: Mapping[str, str] = field(
        default_factory=dict, metadata={"help": "Labels that are added to each series."}
    )

    def faults(self) -> Iterable[str]:
        yield from _bad_address(self.url, allow_remote=self.allow_remote)
        try:
            kept_labels(self.labels.items())
        except NotKept as refused:
            yield f"labels: {refused.detail}"
        for key in self.labels:
            if key in _NAME_KEYS or key.startswith("pudim."):
                yield f"labels: {key} is set already"

    def wants(self, metric: str) -> bool:
        return _matches(metric, self.keep) and not _matches(metric, self.drop)


@dataclass(frozen=True)
class ScrapeConfig(SamplerConfig):
    targets: tuple[ScrapeTarget, ...] = field(default=(), metadata={"help": "The exporters."})
    max_series: int = field(
        default=2000, metadata={"help": "Series of all exporters together.", "low": 1, "high": 5000}
    )

    def faults(self) -> Iterable[str]:
        if len(self.targets) > MOST_TARGETS:
            yield f"targets: {len(self.targets)} exporters, at most {MOST_TARGETS} are fetched from"
        names = [one.name for one in self.targets]
        for number, target in enumerate(self.targets):
            if target.name in names[:number]:
                yield f"targets[{number}].name: {target.name!r} is taken"
            yield from (f"targets[{number}].{one}" for one in target.faults())


@samplers.register("scrape")
class Scrape:
    Config = ScrapeConfig

    def __init__(self, host: Host, config: ScrapeConfig) -> None:
        self._host = host
        self._share = host.custom.share("scrape", config.max_series)
        self._followed = [Followed(one, self._share.origin(one.name, _labels(one))) for one in config.targets]

    async def run(self) -> None:
        await asyncio.gather(*(supervised(f"scrape of {one.name}", one.follow) for one in self._followed))

    def sample(self, tick: Tick) -> Iterable[Reading]:
        self._host.custom.look(tick.monotonic, tick.time_ms, self._host.notices)
        for one in self._followed:
            one.show(tick)
        yield from readings(self._share, _COUNTS)


class Followed:
    """One exporter and what it said last."""

    def __init__(self, target: ScrapeTarget, origin: Origin) -> None:
        self.name = target.name
        self._target, self._origin = target, origin
        self._filling = Filling(origin, target.wants)
        self._said: str | None = None
        self._up = self._duration = NAN
        self._fresh_until = float("-inf")

    async def follow(self) -> None:
        from pudim_agent.custom.fetching import exporter

        target, clock = self._target, asyncio.get_running_loop().time
        most = target.max_mebibytes << 20
        async with exporter(target.url, most, remote=target.allow_remote, ca_file=target.ca_file) as one:
            while True:
                started = clock()
                await self._ask(one, clock)
                late = (clock() - started) % target.interval_seconds
                await asyncio.sleep(target.interval_seconds - late)

    async def _ask(self, exporter: Exporter, clock: Callable[[], float]) -> None:
        started = clock()
        try:
            answer = await exporter.fetch(self._target.timeout_seconds)
            self._duration = clock() - started
            found = samples(answer.text, openmetrics=answer.openmetrics)
            for _ in self._filling.steps(found, clock()):
                await asyncio.sleep(0)  # a tick may be due
        except PudimError as error:
            self._up, self._duration, self._said = 0.0, clock() - started, error.detail
        else:
            self._up, self._said = 1.0, self._filling.not_kept
            self._fresh_until = clock() + STALE_AFTER * self._target.interval_seconds

    def show(self, tick: Tick) -> None:
        if tick.monotonic > self._fresh_until:
            self._filling.clear(tick.monotonic)
        taken = float(self._filling.taken) if self._up else 0.0
        for series, value in zip(_OWN, (self._up, self._duration, taken), strict=True):
            place = self._origin.place(series, tick.monotonic)
            if place is not None:
                place.value, place.used = value, tick.monotonic
        self._origin.say(self._said, tick.time_ms)


def _labels(target: ScrapeTarget) -> dict[str, str]:
    return {
        **target.labels,
        KIND: "scrape",
        "job": target.name,
        "instance": urlsplit(target.url).netloc.rpartition("@")[2],
    }


def _matches(metric: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(metric, one) for one in patterns)


def _bad_address(url: str, *, allow_remote: bool) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        yield f"url: {error}"
        return
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or len(url) > MAX_TEXT:
        yield f"url: must start with http:// or https:// and name a host, not {url!r}"
    elif not allow_remote and is_address(host) and not is_own(host):
        yield f"url: {host} is not this host; set allow_remote = true to allow that"
    if "@" in parts.netloc:
        yield "url: names and passwords in an address are not sent"
