"""Use cases around notices: keep the newest of each kind, and say what is known of a host and whether it still holds."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec

from pudim.wire.messages import MAX_NOTICE_BYTES, Notice
from pudim_collector.features.notices import queries
from pudim_collector.features.notices.queries import NewNotice, NoticeRecord
from pudim_collector.features.notices.rules import is_old, lasts, tally
from pudim_collector.features.notices.schemas import DOCUMENTS, Kind
from pudim_collector.features.servers.service import Contact, ServerView, Sign
from pudim_collector.infra.announcements import EVERYTHING, Announcements
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock

NOTICED = "pudim_noticed"
"""The channel on which the servers are announced of which there is something new."""
MOST_A_WRITE = 500
"""Notices in one statement; more wait for the next one."""
WRITE_EVERY = 1.0
_AT_A_STRETCH = 10
"""Documents that are read before others in this process have their turn."""
_QUIET = 15.0
refused = counter(
    "pudim_notices_refused_total", "Notices of agents that were not kept, by reason.", ["reason"]
)
kept = counter("pudim_notices_kept_total", "Notices of agents that were kept.")
log = logging.getLogger(__name__)
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""In JSON, where a backslash may itself be written by two. PostgreSQL's texts have none."""
_decoders = {kind: msgspec.msgpack.Decoder(shape, strict=False) for kind, shape in DOCUMENTS.items()}


@dataclass(frozen=True)
class HostNotice:
    """The newest word on a subject of a host; `document` is of the kind's type in schemas.DOCUMENTS."""

    kind: str
    at: datetime
    received_at: datetime
    lasting: bool
    document: Any

    def old(self, contact: Contact, now: datetime) -> bool:
        """Whether nobody knows any more if it is so."""
        return is_old(self.received_at, contact.seen, contact.opened, now, lasting=self.lasting)


@dataclass(frozen=True)
class _Said:
    at: int
    received_at: datetime
    packed: bytes


class HostNotices:
    """`run` is the loop that writes; who only reads needs none."""

    def __init__(self, announcements: Announcements, clock: Clock) -> None:
        self._announcements, self._clock = announcements, clock
        self._waiting: dict[tuple[UUID, str], _Said] = {}
        self._arrived = asyncio.Event()

    def keep(self, server_id: UUID, notice: Notice) -> None:
        """Write it within a second or so, unless a newer one of its kind comes before.

        What waits is one document a server and kind, however often a mad agent tells another.
        """
        if notice.kind not in DOCUMENTS:
            refused.labels("unknown_kind").inc()
            return
        packed = msgspec.msgpack.encode(notice.document)
        if len(packed) > MAX_NOTICE_BYTES:
            refused.labels("too_long").inc()
            return
        self._waiting[server_id, notice.kind] = _Said(notice.at, self._clock.now(), packed)
        self._arrived.set()

    @property
    def waiting(self) -> int:
        """How many are not written yet."""
        return len(self._waiting)

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            await self.write()
            await asyncio.sleep(WRITE_EVERY)

    async def write(self) -> None:
        """What waits, in one statement; what does not fit in it waits on."""
        taken = dict(islice(self._waiting.items(), MOST_A_WRITE))
        for key in taken:
            del self._waiting[key]
        if not self._waiting:
            self._arrived.clear()
        try:
            if notices := await _readable(taken):
                await queries.save(notices, NOTICED)
                kept.inc(len(notices))
        except BaseException:
            self._waiting = taken | self._waiting
            self._arrived.set()
            raise

    async def one(self, within: Scope, server_id: UUID, kind: str) -> HostNotice | None:
        """None when its agent never told."""
        record = await queries.find(within, server_id, kind)
        return None if record is None else _notice(record)

    async def all(self, within: Scope, server_id: UUID) -> dict[str, HostNotice]:
        """By kind; one that was never told is not in it."""
        found = map(_notice, await queries.all_of(within, server_id))
        return {one.kind: one for one in found if one is not None}

    def is_old(self, notice: HostNotice, server: ServerView) -> bool:
        """Whether nobody knows any more if it is so."""
        return notice.old(server.contact, self._clock.now())

    async def signs(
        self, within: Scope, contacts: Mapping[UUID, Contact], now: datetime
    ) -> Mapping[UUID, Mapping[str, Sign]]:
        """Implements pudim_collector.features.servers.service.Signs."""
        found: dict[UUID, dict[str, Sign]] = {}
        for one in await queries.counted(within, list(contacts)):
            contact = contacts[one.server_id]
            old = is_old(one.received_at, contact.seen, contact.opened, now, lasting=one.lasting)
            found.setdefault(one.server_id, {})[one.kind] = Sign(one.total, one.bad, one.received_at, old)
        return found

    async def shown(self, within: Scope, server: ServerView) -> dict[str, dict[str, Any] | None]:
        """All that is known of a host, as pages need it: by kind, None where its agent never told."""
        found, now = await self.all(within, server.id), self._clock.now()
        return {kind: _plain(found[kind], server.contact, now) if kind in found else None for kind in Kind}

    async def watch(self, within: Scope, server_id: UUID, pause: float) -> AsyncIterator[dict[str, datetime]]:
        """When each kind was last heard of: at once, then whenever that changed; {} now and then in between."""
        known: dict[str, datetime] = {}
        with self._announcements.subscribe(NOTICED) as noticed:
            heard = frozenset({EVERYTHING})
            while True:
                news = await queries.heads(within, server_id) if _concerns(server_id, heard) else known
                yield news if news != known else {}
                known = news
                await asyncio.sleep(pause)
                heard = await noticed.heard(_QUIET)


async def _readable(taken: Mapping[tuple[UUID, str], _Said]) -> list[NewNotice]:
    """Those whose documents have the shape of their kind; others are counted and left out."""
    found = []
    for number, ((server_id, kind), said) in enumerate(taken.items(), 1):
        try:
            found.append(_new(server_id, kind, said))
        except (msgspec.ValidationError, msgspec.DecodeError, OverflowError) as error:
            refused.labels("shape").inc()
            log.warning(
                "server %s said of its %s what cannot be read: %s", server_id, kind, ascii(str(error))
            )
        if number % _AT_A_STRETCH == 0:
            await asyncio.sleep(0)
    return found


def _new(server_id: UUID, kind: str, said: _Said) -> NewNotice:
    document = _decoders[kind].decode(said.packed)
    text = _NUL.sub(rb"\1\\ufffd", msgspec.json.encode(document)).decode()
    at = datetime.fromtimestamp(said.at / 1000, UTC)
    record = NoticeRecord(kind, at, said.received_at, lasts(document), text)
    return NewNotice(server_id, record, *(tally(document) or (None, None)))


def _notice(record: NoticeRecord) -> HostNotice | None:
    """None for a kind that only a newer collector knows."""
    if record.kind not in DOCUMENTS:
        return None
    document = msgspec.json.decode(record.document, type=DOCUMENTS[record.kind], strict=False)
    return HostNotice(record.kind, record.at, record.received_at, record.lasting, document)


_TIMES = ("at", "since", "started")


def _plain(notice: HostNotice, contact: Contact, now: datetime) -> dict[str, Any]:
    return {
        "at": notice.at.isoformat(),
        "received_at": notice.received_at.isoformat(),
        "old": notice.old(contact, now),
        "document": _timed(msgspec.to_builtins(notice.document)),
    }


def _timed(value: Any) -> Any:
    """With ISO texts in place of milliseconds."""
    if isinstance(value, list):
        return [_timed(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _moment(one) if key in _TIMES and isinstance(one, int) else _timed(one)
        for key, one in value.items()
    }


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def _concerns(server_id: UUID, heard: frozenset[str]) -> bool:
    return any(payload == EVERYTHING or server_id.hex in payload for payload in heard)
