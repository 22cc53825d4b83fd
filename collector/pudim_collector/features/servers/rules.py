"""What may be said of a server, decided from what is known of it and `now`. Unknown is never shown as fine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim.wire.refusals import EnrolmentTokenExpired, EnrolmentTokenUsed

SILENT_AFTER = timedelta(seconds=30)
"""Three missed frames; younger figures are shown, older ones are unknown."""
OUTSIDE_SILENT_AFTER = timedelta(seconds=150)
"""Others send once a minute where nobody says otherwise."""
ENROLMENT_TOKEN_LIFE = timedelta(hours=1)
MOST_TAGS = 32
_TAG = re.compile(r"[\w][\w .:/=-]{0,63}")


class BadTag(PudimError):
    """A tag has 1 to 64 letters, digits and `. : / = - _`, begins with one of the former, and a server has at most 32."""

    code = "bad_tag"
    status = 422


class ServerKind(StrEnum):
    """agent: one is enrolled for it. outside: other programs bring its metrics."""

    AGENT = "agent"
    OUTSIDE = "outside"


class ServerState(StrEnum):
    """live: frames arrive. silent: they did, and do not now. waiting: none came yet. revoked: none are taken."""

    LIVE = "live"
    SILENT = "silent"
    WAITING = "waiting"
    REVOKED = "revoked"


def state(
    last_seen: datetime | None, *, revoked: bool, now: datetime, kind: ServerKind = ServerKind.AGENT
) -> ServerState:
    if revoked:
        return ServerState.REVOKED
    if last_seen is None:
        return ServerState.WAITING
    patience = SILENT_AFTER if kind is ServerKind.AGENT else OUTSIDE_SILENT_AFTER
    return ServerState.LIVE if now - last_seen <= patience else ServerState.SILENT


class ServerRevoked(PudimError):
    """The server was revoked: nothing more is taken for it."""

    code = "server_revoked"
    status = 403


@dataclass(frozen=True)
class Named:
    """As much of a server as decides whether metrics from outside are about it."""

    id: UUID
    name: str
    kind: ServerKind
    revoked: bool
    enrolled_at: datetime


def place_among(found: Sequence[Named], names: Sequence[str]) -> UUID | None:
    """The server that metrics belong to: of the first of `names` that one bears; None where a new one is to be made.

    Names are not unique: one with an agent goes before others, and the older one before the younger. Raises
    ServerRevoked when all that bear a name are revoked: whoever did so wants nothing more of it.
    """
    for name in names:
        bearers = [server for server in found if server.name == name]
        open_ones = [server for server in bearers if not server.revoked]
        if open_ones:
            return min(
                open_ones, key=lambda one: (one.kind is not ServerKind.AGENT, one.enrolled_at, one.id)
            ).id
        if bearers:
            raise ServerRevoked(f"the server {name!a} was revoked")
    return None


def check_token(*, expires_at: datetime, used_at: datetime | None, now: datetime) -> None:
    """Raises EnrolmentTokenUsed or EnrolmentTokenExpired."""
    if used_at is not None:
        raise EnrolmentTokenUsed
    if now >= expires_at:
        raise EnrolmentTokenExpired


def clean_tags(wanted: Iterable[str]) -> list[str]:
    """In order, each once. Raises BadTag."""
    found = sorted({tag.strip() for tag in wanted})
    if len(found) > MOST_TAGS or not all(_TAG.fullmatch(tag) for tag in found):
        raise BadTag
    return found


def name_of(*wishes: str | None) -> str:
    """The first of them in which there is something to see."""
    return next((cleaned for wish in wishes if (cleaned := (wish or "").strip())), "")


class Reach(StrEnum):
    """Who can use the collector's address. plain: other hosts too, but readable on the way."""

    THIS_HOST = "this host"
    PLAIN = "plain"
    ENCRYPTED = "encrypted"


def reach(url: str) -> Reach:
    parts = urlsplit(url)
    if _is_loopback(parts.hostname or ""):
        return Reach.THIS_HOST
    return Reach.ENCRYPTED if parts.scheme == "https" else Reach.PLAIN


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
