"""What may be said of a server, decided from what is known of it and `now`. Unknown is never shown as fine."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from pudim.wire.refusals import EnrolmentTokenExpired, EnrolmentTokenUsed

SILENT_AFTER = timedelta(seconds=30)
"""Three missed frames; younger figures are shown, older ones are unknown."""
ENROLMENT_TOKEN_LIFE = timedelta(hours=1)


class ServerState(StrEnum):
    """live: frames arrive. silent: they did, and do not now. waiting: none came yet. revoked: none are taken."""

    LIVE = "live"
    SILENT = "silent"
    WAITING = "waiting"
    REVOKED = "revoked"


def state(last_seen: datetime | None, *, revoked: bool, now: datetime) -> ServerState:
    if revoked:
        return ServerState.REVOKED
    if last_seen is None:
        return ServerState.WAITING
    return ServerState.LIVE if now - last_seen <= SILENT_AFTER else ServerState.SILENT


def check_token(*, expires_at: datetime, used_at: datetime | None, now: datetime) -> None:
    """Raises EnrolmentTokenUsed or EnrolmentTokenExpired."""
    if used_at is not None:
        raise EnrolmentTokenUsed
    if now >= expires_at:
        raise EnrolmentTokenExpired


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
