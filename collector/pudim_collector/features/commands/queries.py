"""The only reads and writes of commands, their chains and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

import msgspec

from pudim.wire.commands import NOTHING_BEFORE, Report
from pudim_collector.features.commands.rules import KEPT_COMMANDS, KEPT_REPORTS, Chain
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import BY_SERVER, Scope, rows
from pudim_collector.series.statements import fetch

_WAITING: LiteralString = (
    "SELECT count(*) FROM commands"  # noqa: S608 - constants
    f" WHERE server_id = $1 AND sequence IS NULL AND wait_until > $2 AND outcome IS NULL AND {BY_SERVER}"
)
_SERVERS_WAITING = (
    "SELECT DISTINCT server_id FROM commands WHERE sequence IS NULL AND outcome IS NULL AND wait_until > $1"
)
_KNOWN = "SELECT 1 FROM command_reports WHERE server_id = $1 AND digest = $2"
_USED = "UPDATE command_chains SET sequence = $2 WHERE server_id = $1"
_BROKEN: LiteralString = (
    "SELECT broken_at, broken FROM command_chains"  # noqa: S608 - constants
    f" WHERE server_id = $1 AND broken_at IS NOT NULL AND {BY_SERVER}"
)


@dataclass(frozen=True)
class CommandRecord:
    """A command as it is kept; what was not sent has no number, and what did not end no outcome."""

    id: UUID
    server_id: UUID
    action: str
    args: Mapping[str, Any]
    actor: str
    asked_at: datetime
    wait_until: datetime
    sequence: int | None = None
    sent_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    code: str | None = None
    detail: str | None = None
    output: str | None = None
    truncated: bool | None = None


@dataclass(frozen=True)
class Broken:
    """When and how an agent's chain of reports did not go on as it should, the last time."""

    at: datetime
    said: str


@dataclass(frozen=True)
class Waiting:
    id: UUID
    action: str
    args: dict[str, Any]
    actor: str


async def insert(within: Scope, command: CommandRecord) -> None:
    args = msgspec.json.encode(command.args).decode()
    await rows(
        within,
        _statement("insert"),
        command.id,
        command.server_id,
        command.action,
        args,
        command.actor,
        command.asked_at,
        command.wait_until,
    )


async def newest(
    within: Scope,
    server_id: UUID,
    most: int,
    command_id: UUID | None = None,
    *,
    before: tuple[datetime, UUID] | None = None,
) -> list[CommandRecord]:
    """Those that were asked for before the place `before`."""
    place = before or (None, None)
    found = await rows(within, _statement("newest"), server_id, command_id, most, *place)
    return [_record(row) for row in found]


async def count_waiting(within: Scope, server_id: UUID, now: datetime) -> int:
    ((found,),) = await rows(within, _WAITING, server_id, now)
    return int(found)


async def servers_waiting(now: datetime) -> list[UUID]:
    return [row[0] for row in await _fetch(_SERVERS_WAITING, now)]


async def lock_chain(server_id: UUID) -> tuple[int, Chain]:
    """The highest number that a command had, and where the reports are. Within a transaction."""
    ((sequence, reports, head),) = await _run("lock_chain", server_id, NOTHING_BEFORE)
    return sequence, Chain(reports, bytes(head))


async def take_waiting(server_id: UUID, now: datetime, most: int) -> list[Waiting]:
    found = await _run("take_waiting", server_id, now, most)
    return [Waiting(id_, action, msgspec.json.decode(args), actor) for id_, action, args, actor in found]


async def set_used(server_id: UUID, sequence: int) -> None:
    await _fetch(_USED, server_id, sequence)


async def set_sent(
    command_id: UUID, sequence: int, sent_at: datetime, expires_at: datetime, digest: bytes
) -> None:
    await _run("set_sent", command_id, sequence, sent_at, expires_at, digest)


async def knows_report(server_id: UUID, digest: bytes) -> bool:
    return bool(await _fetch(_KNOWN, server_id, digest))


async def add_report(  # noqa: PLR0917 - in the statement's order
    server_id: UUID,
    report: Report,
    digest: bytes,
    body: bytes,
    signature: bytes,
    fault: str | None,
    now: datetime,
) -> None:
    """And let the chain go on from it."""
    await _run("add_report", server_id, report.sequence, digest, now, body, signature, fault)
    await _run("set_chain", server_id, report.sequence, digest, now, fault)
    await _run("forget", server_id, KEPT_COMMANDS, KEPT_REPORTS)


async def set_ended(server_id: UUID, report: Report, now: datetime) -> bool:
    """False if there is no such command of this server, or it was reported before."""
    ended = await _run(
        "set_ended",
        server_id,
        report.command_id,
        report.about,
        now,
        report.outcome,
        report.code,
        report.detail,
        report.output,
        report.truncated,
    )
    return bool(ended)


async def broken(within: Scope, server_id: UUID) -> Broken | None:
    found = await rows(within, _BROKEN, server_id)
    return Broken(*found[0]) if found else None


def _record(row: Sequence[Any]) -> CommandRecord:
    id_, server_id, action, args, *rest = row
    return CommandRecord(id_, server_id, action, msgspec.json.decode(args), *rest)


async def _run(name: str, *parameters: object) -> list[Any]:
    return await _fetch(_statement(name), *parameters)


async def _fetch(query: LiteralString, *parameters: object) -> list[Any]:
    async with database.connection() as connection:
        return await fetch(connection, query, parameters)


@cache
def _statement(name: str) -> LiteralString:
    text: Any = (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
    return cast(LiteralString, text)
