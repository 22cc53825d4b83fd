"""What is done with all secrets at rest at once: count them by key, open each, seal them anew under the active key."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg.sql import SQL, Identifier, Literal

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.database import database
from pudim_collector.infra.key_ring import KeyRing, NoSuchKeyError
from pudim_collector.infra.sealing import (
    FIRST_VERSION,
    HEADER_BYTES,
    VERSION,
    SealBrokenError,
    SealedColumn,
    Sealers,
    owner_bytes,
)

log = logging.getLogger(__name__)
FIRST_KEY = "collector.key"
"""The name under which values of the first version are counted: their keys are derived from it."""
NO_KEY = "unknown"
SETTLE = timedelta(minutes=5)
"""So long after another key became active, nobody holds a value any more that was sealed under this one and is yet to be stored."""
_PAGE = 200
_TYPE = """
SELECT format_type(attribute.atttypid, attribute.atttypmod) FROM pg_attribute AS attribute
WHERE attribute.attrelid = to_regclass($1) AND attribute.attname = $2 AND NOT attribute.attisdropped
"""
# Only this version names its key; what else stands there is random.
_COUNT = SQL(
    "SELECT substring({column} FROM 1 FOR CASE WHEN named THEN $2 ELSE 1 END), count(*)"
    " FROM (SELECT {column}, substring({column} FROM 1 FOR 1) = $1 AS named FROM {table}) AS sealed"
    " WHERE {column} IS NOT NULL GROUP BY 1"
)
_READ = SQL(
    "SELECT {owner}, {column} FROM {table} WHERE {column} IS NOT NULL"
    " AND ($1::{type} IS NULL OR {owner} > $1) ORDER BY {owner} LIMIT {page}"
)
_REPLACE = SQL("UPDATE {table} SET {column} = $3 WHERE {owner} = $1 AND {column} = $2 RETURNING 1")

Progress = Callable[[], None]
"""Called once for each value that was looked at."""


class KeyInUseError(PudimError):
    """Secrets are sealed under this key."""

    code = "key_in_use"
    status = 409
    hint = "Seal them anew first: pudim admin secrets reencrypt."


class KeyTooFreshError(PudimError):
    """This key was the active one until a moment ago."""

    code = "key_too_fresh"
    status = 409
    retry = True
    hint = "Try again in five minutes; what was sealed under it meanwhile may not be stored yet."


class Value(NamedTuple):
    """One sealed value; `owner` is what the owner column has in its row."""

    owner: Any
    sealed: bytes


@dataclass(frozen=True)
class Fault:
    """A value that does not open; `code` is the error's."""

    column: SealedColumn
    owner: str
    code: str


@dataclass
class Outcome:
    """`changed` are values that somebody else replaced or took away meanwhile, which are as good as sealed anew."""

    values: int = 0
    rewritten: int = 0
    changed: int = 0
    faults: list[Fault] = field(default_factory=list)


Census = Mapping[SealedColumn, Mapping[str, int]]
"""For each column, how many values are sealed under each key, by its name."""


async def census(columns: Sequence[SealedColumn]) -> Census:
    return {column: await _counted(column) for column in columns}


async def verify(columns: Sequence[SealedColumn], sealers: Sealers, progress: Progress) -> Outcome:
    """Open every value, and keep none."""
    outcome = Outcome()
    for column in columns:
        sealer = sealers.of(column)
        async for value in _values(column):
            outcome.values += 1
            try:
                sealer.open(value.sealed, owner_bytes(value.owner))
            except SealBrokenError as error:
                outcome.faults.append(Fault(column, _said(value.owner), error.code))
            progress()
    return outcome


async def reencrypt(columns: Sequence[SealedColumn], sealers: Sealers, progress: Progress) -> Outcome:
    """Seal anew what is not under the active key. May be ended and begun again at any time, also beside writers."""
    outcome = Outcome()
    for column in columns:
        async for value in _values(column):
            outcome.values += 1
            if not sealers.of(column).is_current(value.sealed):
                await _reencrypt(column, sealers, value, outcome)
            progress()
    return outcome


async def _reencrypt(column: SealedColumn, sealers: Sealers, value: Value, outcome: Outcome) -> None:
    """A statement of its own for each, so that it never holds two rows: no deadlock, and nothing to undo."""
    sealer, owner = sealers.of(column), owner_bytes(value.owner)
    try:
        fresh = sealer.seal(sealer.open(value.sealed, owner), owner)
    except SealBrokenError as error:
        outcome.faults.append(Fault(column, _said(value.owner), error.code))
        return
    async with database.connection() as connection:
        done = await connection.execute(_REPLACE.format(**_names(column)), [value.owner, value.sealed, fresh])
    if done.rowcount:
        outcome.rewritten += 1
    else:
        outcome.changed += 1


async def retire(ring: KeyRing, name: str, columns: Sequence[SealedColumn], now: datetime) -> None:
    """Raises NoSuchKeyError, ActiveKeyError, KeyTooFreshError, KeyInUseError or RingReadOnlyError."""
    key = next((key for key in ring.keys if key.name == name), None)
    if key is None:
        raise NoSuchKeyError
    stopped = ring.stopped_at(key.id)
    if stopped is not None and now - stopped < SETTLE:
        raise KeyTooFreshError
    used = {str(column): uses[name] for column, uses in (await census(columns)).items() if uses.get(name)}
    if used:
        raise KeyInUseError(
            f"Sealed under {name}: {', '.join(f'{count} of {column}' for column, count in used.items())}."
        )
    ring.retire(key.id)


async def tell_of_lost_keys(columns: Sequence[SealedColumn], ring: KeyRing) -> None:
    """At a start: one without a few secrets is worth more than none, but somebody must hear of it."""
    lost = unreadable(await census(columns), ring)
    if lost:
        log.warning(
            "%d secrets in the database cannot be opened with the keys in %s: bring back the file that they were sealed with",
            lost,
            ring.path,
        )


def unreadable(found: Census, ring: KeyRing) -> int:
    """How many values are under keys that the ring does not have."""
    known = {key.name for key in ring.keys} | {FIRST_KEY}
    return sum(count for uses in found.values() for name, count in uses.items() if name not in known)


async def _counted(column: SealedColumn) -> dict[str, int]:
    if await _owner_type(column) is None:
        return {}
    async with database.connection() as connection:
        found = await connection.execute(_COUNT.format(**_names(column)), [VERSION, HEADER_BYTES])
        rows = await found.fetchall()
    counted: Counter[str] = Counter()
    for header, count in rows:
        counted[_key_name(bytes(header))] += count
    return dict(counted)


def _key_name(header: bytes) -> str:
    names = {FIRST_VERSION: FIRST_KEY, VERSION: header[1:].hex()}
    return names.get(header[:1], NO_KEY)


async def _values(column: SealedColumn) -> AsyncIterator[Value]:
    """By owner, some at a time; each as it is when its page is read."""
    kind = await _owner_type(column)
    if kind is None:
        return
    query = _READ.format(**_names(column), type=SQL(kind), page=Literal(_PAGE))
    after: Any = None
    while True:
        async with database.connection() as connection:
            rows = await (await connection.execute(query, [after])).fetchall()
        for owner, sealed in rows:
            yield Value(owner, bytes(sealed))
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


async def _owner_type(column: SealedColumn) -> str | None:
    """None while the table is not made yet."""
    async with database.connection() as connection:
        row = await (await connection.execute(_TYPE, [column.table, column.owner])).fetchone()
    return None if row is None else str(row[0])


def _said(owner: Any) -> str:
    return owner.hex() if isinstance(owner, bytes) else str(owner)


def _names(column: SealedColumn) -> dict[str, Identifier]:
    return {name: Identifier(getattr(column, name)) for name in ("table", "column", "owner")}
