"""What is to be thought of a notice: how much in it is bad, and whether it still holds. Unknown is never fine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pudim_collector.features.notices.schemas import (
    CheckResults,
    Containers,
    DiskArray,
    Disks,
    MetricSources,
    TopProcesses,
    Units,
)

OLD_AFTER = timedelta(minutes=5)
BAD_HEALTH = "unhealthy"
BAD_STATES = ("restarting", "dead")


class Tally(NamedTuple):
    """How many things a document tells of, and how many of them need somebody."""

    total: int
    bad: int


def tally(document: Any) -> Tally | None:
    """None for what cannot be counted."""
    match document:
        case Containers(containers=found):
            return _tally(one.health == BAD_HEALTH or one.state in BAD_STATES for one in found)
        case Units(units=found):
            return _tally(one.active == "failed" for one in found)
        case CheckResults(checks=found):
            return _tally(one.status == "down" for one in found)
        case Disks(disks=disks, arrays=arrays):
            return _tally(
                [one.healthy is False or bool(one.problems) for one in disks]
                + [bool(one.failed) or _lacks_some(one) for one in arrays]
            )
        case MetricSources(sources=found):
            return _tally(bool(one.error or one.dropped) for one in found)
    return None


def _lacks_some(array: DiskArray) -> bool:
    return array.devices is not None and array.working is not None and array.working < array.devices


def _tally(bad: Iterable[bool]) -> Tally:
    every = list(bad)
    return Tally(len(every), sum(every))


def lasts(document: Any) -> bool:
    """Whether it holds until the agent says something else, for it is told only when it changed.

    Not so where figures are in it that change all the time: without a new one, whoever measures them stands still.
    """
    match document:
        case TopProcesses(cpu=cpu, memory=memory):
            return not (cpu or memory)
        case Containers(containers=found):
            return not any(one.cpu for one in found)
    return True


def is_old(
    received_at: datetime, seen: datetime | None, opened: datetime | None, now: datetime, *, lasting: bool
) -> bool:
    """Whether nobody knows any more if it is so.

    `seen` is when the server's newest frames were stored, `opened` when its agent connected last: then it told all
    that it knows, so what came before and was not said again holds no longer.
    """
    confirmed = lasting and seen is not None and (opened is None or received_at >= opened)
    known = max(received_at, seen) if confirmed and seen is not None else received_at
    return now - known > OLD_AFTER
