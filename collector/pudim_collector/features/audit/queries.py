"""All reads and writes of the audit log; who may ask was decided before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from pudim_collector.features.audit.rules import (
    DEFAULT_DAYS,
    Entry,
    Head,
    Linked,
    Proof,
    Search,
    is_id,
    query_of,
)
from pudim_collector.infra.database import Connection, database

_SQL = Path(__file__).parent / "sql"
_APPEND = (_SQL / "append.sql").read_text()
_MOVE_ANCHOR = (_SQL / "move_anchor.sql").read_text()
_COLUMNS = (
    "sequence, team_id, at, actor_kind, actor_id, actor_name, action, target_kind, target_id, target_name,"
    " address, user_agent, credential, request_id, result, before, after, who_proof, what_proof,"
    " whole_proof, erased_for IS NOT NULL AS erased, previous, hash"
)
_NAMES = {
    "user": "SELECT name, NULL::text FROM users WHERE id = $1",
    "server": "SELECT name, team_id::text FROM servers WHERE id = $1",
    "token": "SELECT name, NULL::text FROM api_tokens WHERE id = $1",
    "sender": "SELECT name, NULL::text FROM senders WHERE id = $1",
    "check": "SELECT name, NULL::text FROM checks WHERE id = $1",
}
_CHAINS = (_SQL / "chains.sql").read_text()
_WORDS = "words @@ to_tsquery('simple', {0})"
_READ_AT_ONCE = 500
_EXPORT_STRETCH = 5_000
MOST_COUNTED = 50_000
"""What is behind a chart, so that it costs no more the longer the time is."""
_FIRST_STRETCH = 20_000
_STRETCH = 10_000
_ENDLESS = 2**63 - 1


# Writing


async def append(connection: Connection, entry: Entry, digest: bytes, genesis: bytes) -> int:
    """The entry's number in its chain."""
    cursor = await connection.execute(
        _APPEND,
        [
            entry.chain,
            genesis,
            digest,
            entry.team_id,
            entry.at,
            entry.actor_kind,
            entry.actor_id,
            entry.actor_name,
            entry.action,
            entry.target_kind,
            entry.target_id,
            entry.target_name,
            entry.address,
            entry.user_agent,
            entry.credential,
            entry.request_id,
            str(entry.result),
            _json(entry.before),
            _json(entry.after),
            entry.proof.who,
            entry.proof.what,
        ],
    )
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - it was inserted
    return int(row[0])


async def name_of(connection: Connection, kind: str, found: UUID) -> tuple[str | None, UUID | None]:
    """What something is called now, and its team where that is known by it; None for what is not there."""
    statement = _NAMES.get(kind)
    if statement is None:
        return None, None
    row = await (await connection.execute(statement, [found])).fetchone()
    return (row[0], UUID(row[1]) if row[1] else None) if row else (None, None)


async def the_only_team(connection: Connection) -> UUID | None:
    """None where there are several, or none yet."""
    rows = await (await connection.execute("SELECT id FROM teams LIMIT 2")).fetchall()
    return rows[0][0] if len(rows) == 1 else None


async def teams_of(connection: Connection, user_id: UUID) -> list[UUID]:
    """Those that a person is in."""
    cursor = await connection.execute("SELECT team_id FROM memberships WHERE user_id = $1", [user_id])
    return [row[0] for row in await cursor.fetchall()]


async def is_new_network(token_id: UUID, network: str, now: datetime) -> bool:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "INSERT INTO audit_networks (token_id, network, since) VALUES ($1, $2, $3)"
            " ON CONFLICT DO NOTHING RETURNING token_id",
            [token_id, network, now],
        )
        return await cursor.fetchone() is not None


async def replace_erased(connection: Connection, sequence: int, entry: Entry, person: UUID) -> None:
    """Keep what is left of an entry once it forgets a person who was deleted; the database refuses any other change."""
    proof = entry.proof
    await connection.execute(
        "UPDATE audit_entries SET actor_name = $3, address = $4, user_agent = $5, target_name = $6, before = $7::jsonb,"
        " after = $8::jsonb, who_proof = $9, what_proof = $10, whole_proof = $11,"
        " erased_for = array_append(erased_for, $12::uuid) WHERE chain = $1 AND sequence = $2",
        [
            entry.chain,
            sequence,
            entry.actor_name,
            entry.address,
            entry.user_agent,
            entry.target_name,
            _json(entry.before),
            _json(entry.after),
            proof.who,
            proof.what,
            proof.whole,
            person,
        ],
    )


# Reading


async def page(chain: UUID, search: Search, before: int | None, most: int) -> list[Linked]:
    """The newest first, those before the entry `before` if it is given.

    A word that most entries have would be looked up in all of them, only to keep the newest few: so words alone are looked for
    among the newest entries first, then among ten million before them, and so on.
    """
    if not search.words or search.since or search.until:
        return await _newest(chain, search, before, most)
    newest = await head(chain)
    until = before or (newest.sequence + 1 if newest else 1)
    found: list[Linked] = []
    stretch = _FIRST_STRETCH
    while until > 1 and len(found) < most:
        since = max(0, until - stretch)
        order = "sequence >= {0} AND sequence < {1} ORDER BY sequence DESC LIMIT {2}"
        found += await _found(chain, search, order, [since, until, most - len(found)])
        until, stretch = since, stretch * 500
    return found


async def _newest(chain: UUID, search: Search, before: int | None, most: int) -> list[Linked]:
    last = await after(chain, before - 1, 1) if before else []
    at = last[0].entry.at if last else datetime.max.replace(tzinfo=UTC)
    order = "(at, sequence) < ({0}, {1}) ORDER BY at DESC, sequence DESC LIMIT {2}"
    return await _found(chain, search, order, [at, before or _ENDLESS, most])


async def after(chain: UUID, sequence: int, most: int) -> list[Linked]:
    """The oldest first, from the one after `sequence`."""
    return await _found(chain, Search(), "sequence > {0} ORDER BY sequence LIMIT {1}", [sequence, most])


async def all_after(chain: UUID, sequence: int) -> AsyncIterator[Linked]:
    """Each in order; read in pieces, so that no snapshot is held while somebody reads slowly."""
    while found := await after(chain, sequence, _READ_AT_ONCE):
        for one in found:
            yield one
        sequence = found[-1].sequence


async def all_found(chain: UUID, search: Search) -> AsyncIterator[Linked]:
    """Each that is found, in order. Stretch by stretch, so that no statement has to look for the next one in all that follow."""
    oldest = await after(chain, 0, 1)
    newest = await head(chain)
    until = newest.sequence + 1 if newest else 1
    for begin in range(oldest[0].sequence if oldest else until, until, _EXPORT_STRETCH):
        end = min(until, begin + _EXPORT_STRETCH)
        order = "sequence >= {0} AND sequence < {1} ORDER BY sequence"
        for one in await _found(chain, search, order, [begin, end]):
            yield one


async def about(
    connection: Connection, chain: UUID, ids: Sequence[str], query: str | None
) -> AsyncIterator[Linked]:
    """Entries by or on somebody, or with words that `query` looks for; stretch by stretch, as all of a person's may be many."""
    statement = (
        f"SELECT {_COLUMNS} FROM audit_entries WHERE chain = $1 AND sequence > $2 AND sequence <= $3 AND"  # noqa: S608 - as above
        " (actor_id = ANY ($4) OR target_id = ANY ($4) OR words @@ to_tsquery('simple', $5)) ORDER BY sequence"
    )
    cursor = await connection.execute(
        "SELECT min(sequence), max(sequence) FROM audit_entries WHERE chain = $1", [chain]
    )
    since, last = await cursor.fetchone() or (None, None)
    for start in range((since or 1) - 1, last or 0, _STRETCH):
        async with connection.cursor(row_factory=dict_row) as found:
            await found.execute(statement, [chain, start, start + _STRETCH, list(ids), query])
            rows = await found.fetchall()
        for row in rows:
            yield _linked(row)


async def counts(chain: UUID, search: Search, step: timedelta) -> dict[datetime, int]:
    """How many entries there are in each step of time, by when it begins; of the newest MOST_COUNTED that are found."""
    where, arguments = _where(chain, search)
    arguments += [step.total_seconds(), MOST_COUNTED]
    number = len(arguments)
    at = f"floor(extract(epoch FROM at)::float8 / ${number - 1}::float8) * ${number - 1}::float8"
    statement = (
        f"SELECT {at}, count(*) FROM"  # noqa: S608 - of our own pieces
        f" (SELECT at FROM audit_entries WHERE {where} ORDER BY at DESC LIMIT ${number}) AS newest GROUP BY 1"
    )
    async with database.connection() as connection:
        cursor = await connection.execute(statement, arguments, prepare=False)
        return {datetime.fromtimestamp(row[0], UTC): row[1] for row in await cursor.fetchall()}


async def bounds(chain: UUID) -> tuple[datetime, datetime] | None:
    """The times of the oldest and the newest entry."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT (SELECT at FROM audit_entries WHERE chain = $1 ORDER BY at LIMIT 1),"
            " (SELECT at FROM audit_entries WHERE chain = $1 ORDER BY at DESC LIMIT 1)",
            [chain],
        )
        row = await cursor.fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])


async def chains() -> list[UUID]:
    """Those that have a head, and those that lost it."""
    async with database.connection() as connection:
        return await chains_seen(connection)


async def chains_seen(connection: Connection) -> list[UUID]:
    """The same, with what the connection's own transaction has begun."""
    return [row[0] for row in await (await connection.execute(_CHAINS)).fetchall()]


async def head(chain: UUID) -> Head | None:
    return await _head("SELECT sequence, hash FROM audit_chains WHERE chain = $1", chain)


async def anchor(chain: UUID) -> Head | None:
    return await _head("SELECT sequence, hash FROM audit_anchors WHERE chain = $1", chain)


async def size() -> int:
    """Bytes of the log on disk, with its indexes."""
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT pg_total_relation_size('audit_entries')")
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


# Retention


async def days(chain: UUID) -> int:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT days FROM audit_settings WHERE chain = $1", [chain])
        row = await cursor.fetchone()
    return int(row[0]) if row else DEFAULT_DAYS


async def set_days(chain: UUID, wanted: int) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO audit_settings (chain, days) VALUES ($1, $2)"
            " ON CONFLICT (chain) DO UPDATE SET days = excluded.days",
            [chain, wanted],
        )


async def move_anchor(connection: Connection, chain: UUID, keep: int, now: datetime) -> Head | None:
    """Onto the newest entry that is older; None where nothing moved."""
    row = await (await connection.execute(_MOVE_ANCHOR, [chain, keep, now])).fetchone()
    return Head(row[0], bytes(row[1])) if row else None


async def remove_anchored(chain: UUID, most: int) -> int:
    """How many of those that the anchor stands for were removed, the oldest first."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "DELETE FROM audit_entries WHERE chain = $1 AND sequence <= ("
            " SELECT least(a.sequence, (SELECT min(e.sequence) FROM audit_entries AS e WHERE e.chain = $1) + $2 - 1)"
            " FROM audit_anchors AS a WHERE a.chain = $1)",
            [chain, most],
        )
        return cursor.rowcount


# Within


async def _head(statement: str, chain: UUID) -> Head | None:
    async with database.connection() as connection:
        row = await (await connection.execute(statement, [chain])).fetchone()
    return Head(row[0], bytes(row[1])) if row else None


def _where(chain: UUID, search: Search) -> tuple[str, list[Any]]:
    conditions, arguments = ["chain = $1"], list[Any]([chain])
    wanted = [
        _who_or_what("actor", search.actor),
        _who_or_what("target", search.target),
        ("action = {0}", search.action),
        ("result = {0}", search.result),
        ("address = {0}", search.address),
        ("at >= {0}", search.since),
        ("at < {0}", search.until),
        (_WORDS, query_of(search.words) or None),
    ]
    for condition, value in wanted:
        if value is not None:
            arguments.append(value)
            conditions.append(condition.format(f"${len(arguments)}"))
    return " AND ".join(conditions), arguments


def _who_or_what(which: str, wanted: str | None) -> tuple[str, str | None]:
    return (f"{which}_{'id' if wanted is None or is_id(wanted) else 'name'} = {{0}}", wanted)


async def _found(chain: UUID, search: Search, order: str, placed: Sequence[Any]) -> list[Linked]:
    """`order` is what comes after the conditions, with `placed` for its numbers in braces."""
    where, arguments = _where(chain, search)
    names = [f"${len(arguments) + number}" for number in range(1, len(placed) + 1)]
    statement = f"SELECT {_COLUMNS} FROM audit_entries WHERE {where} AND {order.format(*names)}"  # noqa: S608 - of our own pieces
    return await _read(statement, [*arguments, *placed])


async def _read(statement: str, arguments: Sequence[Any]) -> list[Linked]:
    """Planned for these values each time: what is rare and what is in every entry want different plans."""
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement, arguments, prepare=False)
        return [_linked(row) for row in await cursor.fetchall()]


def _linked(row: dict[str, Any]) -> Linked:
    sequence, previous, hashed = row.pop("sequence"), bytes(row.pop("previous")), bytes(row.pop("hash"))
    for name in ("before", "after"):
        row[name] = None if row[name] is None else msgspec.json.decode(row[name])
    proof = Proof(*(_bytes(row.pop(name)) for name in ("who_proof", "what_proof", "whole_proof")))
    erased = row.pop("erased")
    return Linked(sequence, Entry(**row, proof=proof), previous, hashed, erased)


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
