"""Traffic of network interfaces, from /proc/net/dev, and whether and how fast they are linked, from /sys."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import isnan
from os import fsdecode

from pudim_agent.deltas import NAN, rates
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, read, samplers, series
from pudim_agent.text import printable

_METRICS = tuple(f"system.network.{what}.rate" for what in ("io", "packet", "errors", "dropped"))
_RECEIVED, _TRANSMITTED = slice(0, 4), slice(8, 12)  # bytes packets errs drop, twice, in 16 columns
_MOST = 64  # interfaces, ten series each; a layout has 2048
_UP, _SPEED = "system.network.up", "system.network.bandwidth.limit"
_STATES = {b"up": 1.0, b"unknown": NAN}  # tunnels say "unknown", which is neither up nor down
_MEGABIT = 125_000.0
_SPEED_SECONDS = (
    60.0  # asking takes the kernel's lock of all interfaces, which a busy router has other uses for
)
_Counters = dict[bytes, tuple[int, ...]]


@dataclass(frozen=True)
class NetworkConfig(SamplerConfig):
    skip: tuple[str, ...] = field(
        default=("lo", "veth*", "ifb*", "dummy*"),
        metadata={"help": "Interfaces left out, as shell patterns."},
    )


@samplers.register("network")
class Network:
    Config = NetworkConfig

    def __init__(self, host: Host, config: NetworkConfig) -> None:
        self._host, self._skip = host, config.skip
        self._before: _Counters = {}
        self._since = 0.0
        self._series: tuple[Series, ...] = ()
        self._links: dict[bytes, _Link] = {}
        self._linked: tuple[tuple[str, bytes], ...] = ()
        self._link_series: tuple[Series, ...] = ()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        after = self._parse(self._host.read("net/dev"))
        if after.keys() != self._before.keys():
            self._series = tuple(one for name in after for one in _layout(printable(name)))
        seconds = tick.monotonic - self._since
        values = [rate for name in after for rate in rates(self._before.get(name), after[name], seconds)]
        self._before, self._since = after, tick.monotonic
        yield Reading(self._series, values)
        yield self._link_states(after, tick.monotonic)

    def _link_states(self, names: Iterable[bytes], now: float) -> Reading:
        self._links = {name: self._links.get(name) or _Link(self._host, name) for name in names}
        found: dict[tuple[str, bytes], float] = {}
        for name, link in self._links.items():
            link.look(now)
            if link.there:
                found[_UP, name] = link.up
            if link.has_speed:
                found[_SPEED, name] = link.speed
        if (keys := tuple(found)) != self._linked:
            self._linked = keys
            self._link_series = tuple(
                series(metric, {"network.interface.name": printable(name)}) for metric, name in keys
            )
        return Reading(self._link_series, list(found.values()))

    def _parse(self, text: bytes) -> _Counters:
        found: _Counters = {}
        for line in sorted(text.split(b"\n")[2:]):
            name, _, columns = line.rpartition(b":")
            if (name := name.strip()) and self._wanted(name) and len(found) < _MOST:
                counters = tuple(map(int, columns.split()))
                found[name] = counters[_RECEIVED] + counters[_TRANSMITTED]
        return found

    def _wanted(self, name: bytes) -> bool:
        text = name.decode(errors="replace")
        return not any(fnmatchcase(text, pattern) for pattern in self._skip)


class _Link:
    """Up or not is looked at every time, the speed seldom and when that changed."""

    def __init__(self, host: Host, name: bytes) -> None:
        self._folder = f"{host.sys}/class/net/{fsdecode(name)}"
        self._due = float("-inf")
        self.there = self.has_speed = False
        self.up = self.speed = NAN

    def look(self, now: float) -> None:
        try:
            state = read(f"{self._folder}/operstate").strip()
        except OSError:
            self.up = self.speed = NAN
            return
        self.there = True
        before, self.up = self.up, _STATES.get(state, 0.0)
        if now >= self._due or (self.up != before and not isnan(self.up)):
            self._due = now + _SPEED_SECONDS
            self.speed = self._ask_speed()
            self.has_speed = self.has_speed or self.speed > 0

    def _ask_speed(self) -> float:
        """-1, or EINVAL, where there is none or no link."""
        try:
            speed = int(read(f"{self._folder}/speed"))
        except (OSError, ValueError):
            return NAN
        return speed * _MEGABIT if speed > 0 else NAN


def _layout(interface: str) -> Iterable[Series]:
    for way in ("receive", "transmit"):
        for metric in _METRICS:
            yield series(metric, {"network.interface.name": interface, "network.io.direction": way})
