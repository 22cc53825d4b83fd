"""Which entries of the audit log are about a person, and what is left once they forget him: all but him, in a chain that holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256

from pudim_collector.features.audit import queries, rules
from pudim_collector.features.audit.rules import Entry, Linked
from pudim_collector.infra.database import Connection, database
from pudim_collector.infra.personal import Kept, Person, Row, Section, erased, told

_OWN = ("account", "factor", "passkey", "password", "profile", "session")
"""What is done in actions of these nouns is about whoever does it: his devices, his names for things."""


def _tried_as(person: Person) -> str:
    """How refused sign-ins name an account: by a digest of what was typed."""
    return sha256(person.email_key.encode()).hexdigest()[:16]


def _did(entry: Entry, person: Person) -> bool:
    """He, one of his tokens, or somebody who tried to be him."""
    if entry.actor_kind == "unknown":
        return bool(person.email_key) and entry.actor_name == _tried_as(person)
    return entry.actor_id in _ids(person)


def _is_about(entry: Entry, person: Person) -> bool:
    """It was done to him or to what is his, or his address stands in it."""
    if entry.target_id in _ids(person) or _names(rules.details_text(entry), person):
        return True
    return _did(entry, person) and entry.action.partition(".")[0] in _OWN


def _names(text: str | None, person: Person) -> bool:
    return bool(person.email_key and text) and person.email_key in str(text).casefold()


def _ids(person: Person) -> list[str]:
    return [str(person.id), *map(str, person.tokens)]


async def _entries(connection: Connection, person: Person) -> AsyncIterator[Linked]:
    words = [word for word in rules.words_of(person.email_key)[: rules.MOST_WORDS] if word[0].isalpha()]
    query = f"{_tried_as(person)} | ({rules.query_of(words)})" if words else None
    for chain in await queries.chains_seen(connection):
        async for one in queries.about(connection, chain, _ids(person), query):
            if _did(one.entry, person) or _is_about(one.entry, person):
                yield one


async def _rows(person: Person) -> AsyncIterator[Row]:
    async with database.connection() as connection:
        async for one in _entries(connection, person):
            yield rules.document(one)


async def _erase(connection: Connection, person: Person) -> None:
    """May be called again: what was erased stays as it is."""
    called = person.pseudonym
    async for one in _entries(connection, person):
        entry = one.entry
        who = _did(entry, person) and (entry.actor_name, entry.address, entry.user_agent) != (called, "", "")
        what = _is_about(entry, person) and rules.details_text(entry) not in {"", called}
        if who or what:
            target = called if entry.target_id in _ids(person) else entry.target_name
            target = called if _names(target, person) else target
            fresh = rules.erased(entry, called, target, who=who, what=what)
            await queries.replace_erased(connection, one.sequence, fresh, person.id)


PERSONAL = (
    Section(
        "audit_log",
        "What you did, and what was done to you, as the audit logs tell it",
        frozenset(
            f"audit_entries.{name}"
            for name in (
                *("actor_id", "actor_name", "address", "user_agent", "credential"),
                *("target_id", "target_name"),
            )
        ),
        _rows,
        _erase,
        at_last=True,
    ),
    Section(
        "token_networks",
        "Networks that your API tokens were used from",
        frozenset({"audit_networks.network"}),
        told(
            "SELECT token_id, network, since FROM audit_networks WHERE token_id = ANY ({tokens})"
            " ORDER BY since, token_id, network"
        ),
        erased("DELETE FROM audit_networks WHERE token_id = ANY ({tokens})"),
    ),
)
KEPT = (
    Kept(
        "token_networks",
        "Networks that API tokens were used from, so that a new one is told",
        400,
        30,
        3650,
        "DELETE FROM audit_networks WHERE (token_id, network) IN"
        " (SELECT token_id, network FROM audit_networks WHERE since < {before} LIMIT {most})",
    ),
)
