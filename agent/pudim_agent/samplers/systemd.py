"""Units of systemd: how many are in which state, which failed, and how often services were started again.

Asked of systemd over D-Bus once a minute, beside the ticks. Only units that failed since the agent started, or that
the configuration lists, have series of their own; each is a source of its own.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from pudim.deadlines import within
from pudim_agent.dbus import Bus, Call, CallFailed
from pudim_agent.deltas import NAN
from pudim_agent.notices import fitting
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series
from pudim_agent.slow import Slow
from pudim_agent.text import printable

_NAME, _ROOT = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_TYPES = ("service", "timer", "socket", "mount")
_STATES = ("active", "inactive", "failed", "activating", "deactivating", "other")
_COUNTS = tuple(
    series("systemd.unit.count", {"systemd.unit.type": kind, "systemd.unit.active_state": state})
    for kind in _TYPES
    for state in _STATES
)
_DEGRADED = (series("systemd.degraded"),)
_UNIT = (series("systemd.unit.active"), series("systemd.unit.restart.count"))
_PATIENCE = 20.0
_LOOKS = 100  # at single units in one round; the others have their turn in the next
_MOST_TOLD = 500
_MOST_UNITS = 5000
_MOST_SERIES = 64
_LONGEST = 256


@dataclass(frozen=True)
class SystemdConfig(SamplerConfig):
    units: tuple[str, ...] = field(
        default=(),
        metadata={"help": "Units with series of their own though they never failed, as shell patterns."},
    )
    seconds: float = field(
        default=60.0, metadata={"help": "Time between questions to systemd.", "low": 5.0, "high": 3600.0}
    )


@dataclass(frozen=True)
class Unit:
    """`since` is when it came to its state, Unix milliseconds; `round` counts when it was last looked at, 0 never."""

    name: str
    description: str
    load: str
    active: str
    sub: str
    path: str
    since: int | None = None
    restarts: int | None = None
    round: int = 0

    @property
    def kind(self) -> str:
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Found:
    manager: str
    units: Mapping[str, Unit]


@samplers.register("systemd")
class Systemd:
    Config = SystemdConfig

    def __init__(self, host: Host, config: SystemdConfig) -> None:
        self._host, self._config = host, config
        self._sockets = (f"{host.run}/dbus/system_bus_socket", f"{host.run}/systemd/private")
        self.slow = Slow("systemd", self._ask, config.seconds)
        self._units: Mapping[str, Unit] = {}
        self._round = 0
        self._own: dict[str, tuple[tuple[str, str], ...]] = {}
        self._told: Found | None = None

    async def run(self) -> None:
        if self._is_booted():
            await self.slow.run()

    def _is_booted(self) -> bool:
        """By systemd, sd_booted(3)."""
        return os.path.isdir(f"{self._host.run}/systemd/system")  # noqa: PTH112

    def sample(self, tick: Tick) -> Iterable[Reading]:
        found = self.slow.latest(tick.monotonic)
        if found is None:
            return
        counts = Counter((unit.kind, _counted(unit.active)) for unit in found.units.values())
        yield Reading(_COUNTS, [float(counts[kind, state]) for kind in _TYPES for state in _STATES])
        failed = any(unit.active == "failed" for unit in found.units.values())
        yield Reading(_DEGRADED, [float(failed or found.manager == "degraded")])
        for name, labels in self._own.items():
            yield Reading(_UNIT, _values(found.units.get(name)), "unit", labels)
        if found is not self._told:
            self._told = found
            self._host.notices.tell("units", tick.time_ms, _document(found))

    async def _ask(self) -> Found | None:
        """None without systemd. Raises OSError, ValueError, TimeoutError."""
        path = self._socket()
        if path is None:
            return None
        async with within(_PATIENCE):
            found = await self._ask_at(path, peer=path == self._sockets[1])
        self._units = found.units
        self._follow(found.units.values())
        return found

    def _socket(self) -> str | None:
        """The bus; where there is none, systemd's own socket, which is root's alone."""
        return next((path for path in self._sockets if os.path.exists(path)), None)  # noqa: PTH110

    async def _ask_at(self, path: str, *, peer: bool) -> Found:
        bus = await Bus.connect(path, peer=peer)
        try:
            manager, listed = await bus.calls([_STATE, _LIST])
            if isinstance(listed, CallFailed):
                raise listed
            units = {unit.name: unit for unit in self._listed(listed)}
            looked = await self._look(bus, self._to_look_at(units.values()))
            return Found(_text_of(manager), {**units, **looked})
        finally:
            bus.close()

    def _listed(self, listed: tuple[Any, ...]) -> Iterator[Unit]:
        """What was known of a unit stays known while it stays in its state."""
        for row in _rows(listed)[:_MOST_UNITS]:
            unit = _unit(row)
            before = self._units.get(unit.name)
            if before and (before.active, before.sub) == (unit.active, unit.sub):
                unit = replace(unit, since=before.since, restarts=before.restarts, round=before.round)
            yield unit

    def _to_look_at(self, units: Iterable[Unit]) -> list[Unit]:
        """Those in a new state first, then those in trouble, then who was not looked at for the longest time."""
        loaded = [unit for unit in units if unit.load == "loaded"]
        return sorted(loaded, key=lambda unit: (unit.round > 0, unit.active in _SETTLED, unit.round))[:_LOOKS]

    async def _look(self, bus: Bus, units: Sequence[Unit]) -> dict[str, Unit]:
        self._round += 1
        calls = [_get(unit.path, f"{_NAME}.Unit", "StateChangeTimestamp") for unit in units]
        services = [unit for unit in units if unit.kind == "service"]
        calls += [_get(unit.path, f"{_NAME}.Service", "NRestarts") for unit in services]
        answers = await bus.calls(calls)
        restarts = {unit.name: _count(one) for unit, one in zip(services, answers[len(units) :], strict=True)}
        return {
            unit.name: replace(
                unit, since=_milliseconds(_count(one)), restarts=restarts.get(unit.name), round=self._round
            )
            for unit, one in zip(units, answers, strict=False)
        }

    def _follow(self, units: Iterable[Unit]) -> None:
        """A unit that failed keeps its series when it works again, so that this is seen."""
        for unit in units:
            if len(self._own) >= _MOST_SERIES:
                return
            if unit.name not in self._own and (unit.active == "failed" or self._is_listed(unit.name)):
                self._own[unit.name] = (("systemd.unit.name", unit.name),)

    def _is_listed(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._config.units)


def _get(path: str, interface: str, name: str) -> Call:
    return Call(_NAME, path, _PROPERTIES, "Get", (interface, name))


_STATE = _get(_ROOT, f"{_NAME}.Manager", "SystemState")
_LIST = Call(
    _NAME, _ROOT, f"{_NAME}.Manager", "ListUnitsByPatterns", ((), tuple(f"*.{kind}" for kind in _TYPES))
)
_SETTLED = ("active", "inactive")


def _counted(state: str) -> str:
    return state if state in _STATES else "other"


def _rows(listed: tuple[Any, ...]) -> list[Any]:
    """The rows of `a(ssssssouso)`. Raises ValueError for anything else."""
    rows = listed[0] if len(listed) == 1 else None
    if not isinstance(rows, list) or not all(
        isinstance(row, tuple) and len(row) == 10 and all(isinstance(part, str) for part in row[:7])  # noqa: PLR2004
        for row in rows
    ):
        raise ValueError("systemd lists its units in a way that is not known")
    return rows


def _unit(row: Sequence[Any]) -> Unit:
    name, description, load, active, sub = (_printable(part) for part in row[:5])
    return Unit(name, description, load, active, sub, row[6])


def _printable(text: str) -> str:
    return printable(text.encode(errors="replace"), _LONGEST) if text else ""


def _count(answer: tuple[Any, ...] | CallFailed) -> int | None:
    return answer[0] if isinstance(answer, tuple) and answer and isinstance(answer[0], int) else None


def _text_of(answer: tuple[Any, ...] | CallFailed) -> str:
    text = answer[0] if isinstance(answer, tuple) and answer else ""
    return _printable(text) if isinstance(text, str) else ""


def _milliseconds(microseconds: int | None) -> int | None:
    """0 means that it never changed its state."""
    return microseconds // 1000 if microseconds else None


def _values(unit: Unit | None) -> list[float]:
    """In the order of `_UNIT`. One that is not loaded any more is not active."""
    if unit is None:
        return [0.0, NAN]
    return [float(unit.active in _RUNNING), NAN if unit.restarts is None else float(unit.restarts)]


_RUNNING = ("active", "reloading", "refreshing")
_TROUBLE = ("failed", "activating", "deactivating")


def _document(found: Found) -> dict[str, Any]:
    units = sorted(found.units.values(), key=_troubled_first)
    return {
        "units": fitting(_told(unit) for unit in units[:_MOST_TOLD]),
        "manager": found.manager or None,
    }


def _troubled_first(unit: Unit) -> tuple[int, str]:
    trouble = _TROUBLE.index(unit.active) if unit.active in _TROUBLE else len(_TROUBLE)
    return trouble, unit.name


def _told(unit: Unit) -> dict[str, Any]:
    return {
        "name": unit.name,
        "description": unit.description,
        "load": unit.load,
        "active": unit.active,
        "sub": unit.sub,
        "restarts": unit.restarts,
        "since": unit.since,
    }
