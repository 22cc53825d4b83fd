"""How a feature says which of its rows are about a person: to tell him all of them, and to forget him; and how long rows are kept."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

from psycopg.rows import dict_row

from pudim_collector.infra.database import Connection, database

PAGE = 500
"""Rows that are read at once: whoever has many of them costs no more memory than others."""
REMOVED_AT_ONCE = 5_000
_NAMED = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Person:
    """Whose rows are meant; `email_key` is his address as compared. What the API tokens that he made did, he did."""

    id: UUID
    name: str
    email: str
    email_key: str
    tokens: tuple[UUID, ...] = ()
    language: str | None = None

    @property
    def pseudonym(self) -> str:
        """What takes his name's place where what he did stays: always the same, and nothing that leads back to a name."""
        return f"Deleted person {sha256(b'pudim deleted person 1' + self.id.bytes).hexdigest()[:4]}"


Row: TypeAlias = Mapping[str, Any]
Told: TypeAlias = Callable[[Person], AsyncIterator[Row]]
Erasure: TypeAlias = Callable[[Connection, Person], Awaitable[None]]


async def _nothing(connection: Connection, person: Person) -> None:
    """For rows that go with what they refer to, by the database's own rule."""


@dataclass(frozen=True)
class Section:
    """One kind of rows about people. `name` is its file in what a person is given, `words` say what it is.

    `columns` are those (table.column) that hold a person, his address, or where he was: each is told or erased by some
    section, or stands with a reason in `tests/architecture/persons.py`. An erasure `at_last` happens as the last work of its
    transaction, after what the transaction itself told of it.
    """

    name: str
    words: str
    columns: frozenset[str]
    rows: Told
    erase: Erasure = _nothing
    at_last: bool = False


@dataclass(frozen=True)
class Kept:
    """Rows that are removed by age. `remove` takes {before} and {most}; nothing that is still in use may be among them."""

    name: str
    words: str
    days: int
    fewest: int
    most: int
    remove: LiteralString = field(repr=False)


def told(statement: LiteralString) -> Told:
    """Rows of a statement that orders them, and takes {person}, {tokens}, {email} or {pseudonym}; read in pieces."""
    return partial(_rows, statement)


def erased(*statements: LiteralString) -> Erasure:
    """By statements that take the same, one after the other."""
    return partial(_run, statements)


async def _rows(statement: LiteralString, person: Person) -> AsyncIterator[Row]:
    text, values = _bound(statement, person)
    start = 0
    while True:
        # No snapshot is held while somebody reads slowly.
        page: Any = f"{text} LIMIT {PAGE} OFFSET {start}"
        async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(page, values)
            found = await cursor.fetchall()
        for row in found:
            yield row
        if len(found) < PAGE:
            return
        start += PAGE


async def _run(statements: tuple[LiteralString, ...], connection: Connection, person: Person) -> None:
    for statement in statements:
        await connection.execute(*_bound(statement, person))


def _bound(statement: LiteralString, person: Person) -> tuple[LiteralString, list[Any]]:
    return bound(
        statement,
        {
            "person": ("uuid", person.id),
            "tokens": ("uuid[]", list(person.tokens)),
            "email": ("text", person.email_key),
            "pseudonym": ("text", person.pseudonym),
        },
    )


def bound(
    statement: LiteralString, values: Mapping[str, tuple[str, object]]
) -> tuple[LiteralString, list[Any]]:
    """A statement with names in braces as one with numbered parameters: by name, the type and the value."""
    names = list(dict.fromkeys(_NAMED.findall(statement)))
    numbered = _NAMED.sub(lambda found: f"${names.index(found[1]) + 1}::{values[found[1]][0]}", statement)
    return numbered, [values[name][1] for name in names]
