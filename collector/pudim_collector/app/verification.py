"""`pudim admin verify`: rollups against raw frames, told by server, source and hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from pudim_collector.app.process import shared_database
from pudim_collector.app.settings import Settings
from pudim_collector.features.servers import queries
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.backends import RAW
from pudim_collector.series.retention import read_kept
from pudim_collector.series.statements import fetch
from pudim_collector.series.verifying import Finding, Verifying, hour_of

Report = Callable[[str], None]
_DAY_HOURS = 24


class Outcome(NamedTuple):
    """What was looked at; `waiting` units have still to be rolled up, `repaired` ones will be again."""

    units: int
    frames: int
    waiting: int
    findings: list[Finding]
    repaired: int


async def verify(
    settings: Settings, days: int | None, *, repair: bool, say: Report, report: Report
) -> Outcome:
    """All that raw frames still tell, or the last `days` of it; each finding is said at once. Pudim may run meanwhile."""
    now, verifying = SystemClock().now(), Verifying(database)
    units = frames = waiting = 0
    findings: list[Finding] = []
    async with shared_database(settings):
        names = await _names()
        first, last = await _first_hour(days), hour_of(now) + 1
        async for checked in verifying.hours(first, last):
            units, frames = units + checked.units, frames + checked.frames
            waiting, findings = waiting + checked.waiting, findings + checked.findings
            _tell(checked.findings, names, say)
            if checked.hour % _DAY_HOURS == _DAY_HOURS - 1:
                report(
                    f"{checked.hour + 1 - first} of {last - first} hours: {frames:,} frames, {len(findings)} differences"
                )
        repaired = await verifying.repair(findings) if repair else 0
    return Outcome(units, frames, waiting, findings, repaired)


async def _first_hour(days: int | None) -> int:
    """The first hour of which every frame that was taken is there still."""
    now = SystemClock().now()
    async with database.connection() as connection:
        kept = await read_kept(connection)
    since = max(now - timedelta(days=kept.limits[RAW].days), kept.raw_since)
    return hour_of(since if days is None else max(since, now - timedelta(days=days))) + 1


async def _names() -> Mapping[int, str]:
    """Server and source in words, by the source's id."""
    servers = {server.id: server.name for server in await queries.every_server()}
    async with database.connection() as connection:
        rows = await fetch(connection, "SELECT source_id, server_id, name FROM sources")
    return {source_id: f"{servers.get(server_id, server_id)} {name}" for source_id, server_id, name in rows}


def _tell(findings: Sequence[Finding], names: Mapping[int, str], say: Report) -> None:
    for one in findings:
        words = one.what if one.repairable else f"{one.what}; rolling up again cannot repair that"
        say(f"{one.unit.start:%Y-%m-%d %H}:00 UTC  {names[one.unit.source_id]}: {words}")
