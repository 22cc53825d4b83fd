"""Containers: figures from their control groups, names and states from the runtimes' sockets where these may be read.

Without any socket the figures still come, under the short id. A container is a source of its own, so that one that
ends takes only its own series along.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from glob import glob
from math import isnan
from typing import Any

from pudim.deadlines import happens_within
from pudim.wire.layouts import Labels, labels_of
from pudim_agent.container_groups import Group, Meter, find, is_v2
from pudim_agent.container_runtimes import Known, Runtime, image_name
from pudim_agent.deltas import NAN
from pudim_agent.notices import fitting
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

_log = logging.getLogger(__name__)
_FIND_SECONDS = 10.0
_ASK_SECONDS = 30.0
_HASTE_SECONDS = 2.0  # after a container appeared that no runtime has named
_TELL_SECONDS = 30.0
_WATCHED_MS = 1000  # ticks this close together are for somebody who looks
_MOST_SOCKETS = 32
_MOST_NAMED = 20
_STATES = ("running", "paused", "restarting", "exited", "other")
_COUNTS = tuple(series("pudim.container.count", {"container.state": state}) for state in _STATES)
_RUNNING = _COUNTS[:1]
_ALIVE = frozenset(("running", "paused", "restarting"))
_LEFT_OUT = (series("pudim.container.left_out.count"),)
_SAID = tuple(
    series(metric)
    for metric in ("container.uptime", "pudim.container.restart.count", "pudim.container.health")
)
_HEALTH = {"healthy": 1.0, "unhealthy": 0.0}
_USER = re.compile(r"/user/(\d{1,10})/")


@dataclass(frozen=True)
class ContainerConfig(SamplerConfig):
    most: int = field(
        default=200,
        metadata={"help": "Containers with series; more are counted only.", "low": 0, "high": 1000},
    )
    ask_runtimes: bool = field(
        default=True, metadata={"help": "Ask Docker and Podman, on their sockets, for names and states."}
    )
    sockets: tuple[str, ...] = field(
        default=(), metadata={"help": "Sockets to ask besides the usual ones, such as a read-only proxy's."}
    )


@samplers.register("container")
class Containers:
    Config = ContainerConfig

    def __init__(self, host: Host, config: ContainerConfig) -> None:
        self._host, self._config = host, config
        self._root = f"{host.sys}/fs/cgroup"
        self._meters: dict[str, Meter] = {}
        self._left_out: list[Group] = []
        self._find_due = self._tell_due = float("-inf")
        self._before_ms = 0
        self._runtimes: dict[str, Runtime] = {}
        self._complaints: dict[str, str] = {}
        self._asking = False
        self._asked_about: set[str] = set()
        self._appeared = asyncio.Event()
        self._said_too_many = False
        self._told_some = False

    # Asking the runtimes, beside the ticks

    async def run(self) -> None:
        if not self._config.ask_runtimes:
            return
        self._asking = True
        while True:
            self._appeared.clear()
            await self.ask()
            await asyncio.sleep(_HASTE_SECONDS)
            await happens_within(_ASK_SECONDS - _HASTE_SECONDS, self._appeared)

    async def ask(self) -> None:
        """Once. What fails is logged when its reason changes, and what runs keeps its name."""
        groups = {one.id: one.inode for one in self._groups()}
        for path, owner in self._places():
            runtime = self._runtimes.setdefault(path, Runtime(path, owner))
            try:
                await runtime.look(groups)
                self._complaints.pop(path, None)
            except FileNotFoundError:
                self._runtimes.pop(path, None)
            except (OSError, ValueError, asyncio.TimeoutError) as error:
                self._complain(path, f"{type(error).__name__}: {error}")
                runtime.forget_all_but(groups)
        self._asked_about = set(groups)

    def _complain(self, path: str, reason: str) -> None:
        if self._complaints.get(path) != reason:
            self._complaints[path] = reason
            _log.warning("containers of %s have no names: %s (said once)", path, reason)

    def _places(self) -> list[tuple[str, int | None]]:
        """Sockets, the system's first: what they say of a container counts more than what a user's says."""
        run = self._host.run
        found: list[tuple[str, int | None]] = [(path, None) for path in self._config.sockets]
        found += [(f"{run}/{name}", None) for name in ("docker.sock", "podman/podman.sock")]
        for name in ("docker.sock", "podman/podman.sock"):
            for path in sorted(glob(f"{run}/user/*/{name}"))[:_MOST_SOCKETS]:  # noqa: PTH207
                if match := _USER.search(path):
                    found.append((path, int(match[1])))
        there = [one for one in found if os.path.exists(one[0])]  # noqa: PTH110
        for path in self._runtimes.keys() - {path for path, _ in there}:
            del self._runtimes[path]
        return there[:_MOST_SOCKETS]

    def _groups(self) -> Iterator[Group]:
        yield from (meter.group for meter in self._meters.values())
        yield from self._left_out

    def _known(self, group: Group) -> Known | None:
        for runtime in self._runtimes.values():
            if runtime.owner in (None, group.owner) and group.id in runtime.known:
                return runtime.known[group.id]
        return None

    # Sampling

    def sample(self, tick: Tick) -> Iterable[Reading]:
        if tick.monotonic >= self._find_due:
            self._find_due = tick.monotonic + _FIND_SECONDS
            self._find()
        named: set[Labels] = set()
        for meter in list(self._meters.values()):
            yield from self._one(meter, tick, named)
        yield from self._totals()
        self._tell(tick)

    def _find(self) -> None:
        """Those that have series keep them; the others get what is left, in the order of their paths."""
        found = {one.id: one for one in find(self._root)} if is_v2(self._root) else {}
        kept = {
            id_: meter for id_, meter in self._meters.items() if id_ in found and found[id_] == meter.group
        }
        fresh = [one for id_, one in found.items() if id_ not in kept]
        room = max(0, self._config.most - len(kept))
        for group in fresh[:room]:
            kept[group.id] = Meter(group, self._host.proc)
        self._meters, self._left_out = kept, fresh[room:]
        for meter in self._meters.values():
            meter.look_around()
        if found.keys() - self._asked_about:
            self._appeared.set()
        self._warn()

    def _warn(self) -> None:
        if self._left_out and not self._said_too_many:
            self._said_too_many = True
            names = ", ".join(map(self._title, self._left_out[:_MOST_NAMED]))
            _log.warning(
                "%d containers have no series, among them %s (said once)", len(self._left_out), names
            )

    def _title(self, group: Group) -> str:
        known = self._known(group)
        return known.name if known else group.id[:12]

    def _one(self, meter: Meter, tick: Tick, named: set[Labels]) -> Iterator[Reading]:
        try:
            values = meter.read(tick.monotonic)
        except OSError:
            del self._meters[meter.group.id]
            return
        known = self._known(meter.group)
        if known is None and self._asking and meter.group.id not in self._asked_about:
            return  # its name is being asked for; under another one it would be another source
        labels = _labels(meter.group, known)
        if labels in named:  # two runtimes, one name
            labels = labels_of({**dict(labels), "container.id": meter.group.id[:12]})
        named.add(labels)
        yield Reading(meter.series, values, "container", labels)
        if known is not None and known.looked:
            yield Reading(_SAID, _said(known, tick.time_ms), "container", labels)

    def _totals(self) -> Iterator[Reading]:
        counts = Counter(one.state for one in self._seen())
        if any(one.kind for one in self._runtimes.values()):
            other = sum(count for state, count in counts.items() if state not in _STATES)
            yield Reading(_COUNTS, [*(float(counts[state]) for state in _STATES[:-1]), float(other)])
        elif counts:
            yield Reading(_RUNNING, [float(counts["running"])])
        if counts:
            yield Reading(_LEFT_OUT, [float(len(self._left_out))])

    def _seen(self) -> Iterator[Known]:
        """Every container that is known of. One with a control group runs, whatever was said of it before."""
        here = set()
        for group in self._groups():
            here.add(group.id)
            known = self._known(group) or Known(group.id, group.id[:12], "", group.runtime, "running")
            yield known if known.state in _ALIVE else replace(known, state="running")
        for runtime in self._runtimes.values():
            for known in runtime.known.values():
                if known.id not in here:
                    here.add(known.id)
                    yield known

    # Telling

    def _tell(self, tick: Tick) -> None:
        watched = 0 < tick.time_ms - self._before_ms <= _WATCHED_MS
        self._before_ms = tick.time_ms
        if tick.monotonic < self._tell_due and not watched:
            return
        seen = list(self._seen())
        if not (seen or self._runtimes or self._told_some or self._complaints):
            return
        self._told_some = True
        self._tell_due = tick.monotonic + _TELL_SECONDS
        document: dict[str, Any] = {
            "containers": fitting(self._told(one) for one in seen),
            "runtimes": sorted(
                {one.runtime for one in seen} | {one.kind for one in self._runtimes.values() if one.kind}
            ),
        }
        if self._complaints:
            document["problems"] = [f"{path}: {reason}"[:256] for path, reason in self._complaints.items()]
        self._host.notices.tell("containers", tick.time_ms, document)

    def _told(self, known: Known) -> dict[str, Any]:
        meter = self._meters.get(known.id)
        return {
            "id": known.id[:12],
            "name": known.name,
            "image": known.image,
            "runtime": known.runtime,
            "state": known.state,
            "health": known.health,
            "restarts": known.restarts,
            "started": known.started_ms,
            "cpu": _or_none(meter.cpu, 4) if meter else None,
            "memory": _or_none(meter.memory) if meter else None,
            "memory_limit": _or_none(meter.memory_limit) if meter else None,
        }


def _or_none(value: float, digits: int | None = None) -> float | None:
    return None if isnan(value) else round(value, digits)


def _said(known: Known, now_ms: int) -> list[float]:
    """In the order of `_SAID`."""
    return [
        NAN if known.started_ms is None else max(0.0, (now_ms - known.started_ms) / 1000),
        NAN if known.restarts is None else float(known.restarts),
        _HEALTH.get(known.health or "", NAN),
    ]


def _labels(group: Group, known: Known | None) -> Labels:
    if known is None:
        return labels_of({"container.id": group.id[:12], "container.runtime": group.runtime})
    labels = {
        "container.name": known.name or group.id[:12],
        "container.image.name": image_name(known.image),
        "container.runtime": known.runtime,
    }
    return labels_of({key: text for key, text in labels.items() if text})
