"""Which counts of failed attempts are a person's: they are under digests, which only who knows his address finds."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pudim_collector.features.attempts import rules
from pudim_collector.infra.database import Connection, database
from pudim_collector.infra.personal import Person, Row, Section

_BY_ADDRESS = ("password", "reset")
_BY_ID = (("confirm", "account"), ("factor", "strict"))


def _keys(person: Person) -> dict[bytes, str]:
    """What each count of this person is of. Those of a network or device beside him have no name of his, and are forgotten within an hour."""
    found = {rules.key(what, "account", person.email_key): what for what in _BY_ADDRESS}
    return found | {rules.key(what, counted, str(person.id)): what for what, counted in _BY_ID}


async def _rows(person: Person) -> AsyncIterator[Row]:
    keys = _keys(person)
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT key, failures, last_at FROM attempts WHERE key = ANY ($1) ORDER BY last_at", [list(keys)]
        )
        found = await cursor.fetchall()
    for key, failures, last_at in found:
        yield {"attempt": keys[bytes(key)], "failures": failures, "last_at": last_at}


async def _erase(connection: Connection, person: Person) -> None:
    await connection.execute("DELETE FROM attempts WHERE key = ANY ($1)", [list(_keys(person))])


PERSONAL = (
    Section(
        "failed_attempts",
        "Failed attempts to sign in as you, as far as they still make somebody wait",
        frozenset(),
        _rows,
        _erase,
    ),
)
