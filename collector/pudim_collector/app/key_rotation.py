"""`pudim admin secrets rotate`: how the collector and its releases go over to another key, and which servers are ready for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from pudim.succession import read
from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import public_bytes, to_text
from pudim_collector.app.features import SEALED
from pudim_collector.app.key_succession import (
    COLLECTOR,
    RELEASE,
    NoSuccessorError,
    begin,
    finish,
    succession_of,
)
from pudim_collector.app.keys import collector_key, release_key, signing_key
from pudim_collector.app.process import shared_database
from pudim_collector.app.sealed import FIRST_KEY, census
from pudim_collector.app.settings import Settings
from pudim_collector.features.installing.service import Releases
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.statements import fetch

RECENT = timedelta(days=30)
"""A server that was not heard of for longer is not waited for."""
_MOST_NAMED = 10
_AGENTS = """
SELECT servers.name,
    greatest(
        servers.enrolled_at, servers.opened_at,
        (SELECT max(stored_at) FROM ledger WHERE ledger.server_id = servers.id)
    ),
    notices.document->>'key', notices.document->>'successor', notices.document->>'refused'
FROM servers LEFT JOIN notices ON notices.server_id = servers.id AND notices.kind = 'collector_key'
WHERE servers.kind = 'agent' AND servers.revoked_at IS NULL ORDER BY servers.name, servers.id
"""


class NotConfirmedError(PudimError):
    """Some servers do not have the new key yet."""

    code = "not_confirmed"
    status = 409
    retry = True
    hint = "Wait for them, or go over with --force: they follow when they connect, if their agent is new enough, and are enrolled again otherwise."


class SealedUnderThisKeyError(PudimError):
    """Secrets are sealed under a key that comes from the collector's."""

    code = "sealed_under_this_key"
    status = 409
    hint = "Seal them anew first: pudim admin secrets reencrypt."


@dataclass(frozen=True)
class AgentsWord:
    """What an agent said last of the collector's keys; None where it never did."""

    name: str
    seen: datetime
    key: str | None
    successor: str | None
    refused: str | None

    def has(self, key: str) -> bool:
        return key in {self.key, self.successor}


class KeyOutlook(msgspec.Struct):
    """How far the change to `successor` has come, of the servers that were heard of lately; None where none waits."""

    key: str
    successor: str | None
    servers: int
    confirmed: int
    missing: list[str]
    refused: dict[str, int]


async def outlook(settings: Settings, recent: timedelta = RECENT) -> KeyOutlook:
    async with shared_database(settings):
        return await measured(settings, recent)


async def measured(settings: Settings, recent: timedelta = RECENT) -> KeyOutlook:
    """In an open database."""
    own = public_bytes(collector_key(settings.data_dir))
    waiting = succession_of(settings.data_dir, COLLECTOR, own).waiting
    wanted = to_text(read(waiting).key if waiting else own)
    since = SystemClock().now() - recent
    agents = [one for one in await _agents() if one.seen >= since]
    return judged(agents, to_text(own), wanted if waiting else None)


def judged(agents: Sequence[AgentsWord], own: str, successor: str | None) -> KeyOutlook:
    wanted = successor or own
    missing = [one for one in agents if not one.has(wanted)]
    refused: dict[str, int] = {}
    for one in missing:
        if one.refused:
            refused[one.refused] = refused.get(one.refused, 0) + 1
    names = [one.name for one in missing]
    return KeyOutlook(own, successor, len(agents), len(agents) - len(missing), names, refused)


def said(found: KeyOutlook) -> str:
    """For people."""
    which = "its successor" if found.successor else "it"
    lines = [
        f"collector key  {found.key}",
        *([f"successor      {found.successor}"] if found.successor else []),
        f"{found.confirmed} of {found.servers} servers that were heard of lately have {which}.",
        *([f"Missing: {_named(found.missing)}"] if found.missing else []),
        *(f"{number} refused it: {code}" for code, number in sorted(found.refused.items())),
    ]
    return "\n".join(lines)


def make_successor(settings: Settings, *, again: bool) -> str:
    """The public half of the key that is going to be the collector's. Raises SuccessorWaitsError or a KeyFileError."""
    collector_key(settings.data_dir)
    return to_text(begin(settings.data_dir, COLLECTOR, SystemClock().now(), again=again).key)


async def go_over(settings: Settings, *, recent: timedelta, force: bool) -> str:
    """The collector has the new key from its next start on. Raises NotConfirmedError, SealedUnderThisKeyError or NoSuccessorError."""
    async with shared_database(settings):
        await check_ready(settings, recent, force=force)
    return to_text(finish(settings.data_dir, COLLECTOR, SystemClock().now()).key)


async def check_ready(settings: Settings, recent: timedelta, *, force: bool) -> None:
    """In an open database. Raises NotConfirmedError, SealedUnderThisKeyError or NoSuccessorError."""
    found = await measured(settings, recent)
    if found.successor is None:
        raise NoSuccessorError
    if found.missing and not force:
        raise NotConfirmedError(
            f"{len(found.missing)} of {found.servers} servers do not have the new key: {_named(found.missing)}."
        )
    if any(by_key.get(FIRST_KEY) for by_key in (await census(SEALED)).values()):
        raise SealedUnderThisKeyError


def rotate_release_key(settings: Settings) -> str:
    """At once: hosts learn of it with the next release that they take. One that was interrupted is brought to its end.

    The release on offer is signed anew before the key changes, so that it is never signed by a key that no chain leads to.
    """
    data_dir, now = settings.data_dir, SystemClock().now()
    own = public_bytes(release_key(data_dir))
    if succession_of(data_dir, RELEASE, own).waiting is None:
        begin(data_dir, RELEASE, now)
    releases = Releases(data_dir, signing_key(data_dir / RELEASE.next_file))
    if releases.is_offered():
        releases.sign_anew()
    return to_text(finish(data_dir, RELEASE, now).key)


async def _agents() -> list[AgentsWord]:
    async with database.connection() as connection:
        return [AgentsWord(*row) for row in await fetch(connection, _AGENTS)]


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
