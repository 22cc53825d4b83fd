"""Sessions at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from pudim_collector.features.accounts.service import OwnSession
from pudim_collector.features.sessions.rules import device_of


class SignedInSession(Struct):
    """A browser that is signed in; `device` is what it says of itself, `current` whether it asks."""

    id: UUID
    device: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    current: bool

    @classmethod
    def of(cls, session: OwnSession, current: UUID | None) -> SignedInSession:
        return cls(
            session.id,
            device_of(session.user_agent),
            session.address,
            session.created_at,
            session.last_seen_at,
            session.id == current,
        )


class SignedInSessionPage(Struct):
    items: list[SignedInSession]
    next_cursor: str | None = None


class SignInForm(Struct):
    email: str = ""
    password: str = ""
    next: str = ""


class ProofForm(Struct):
    password: str = ""
    next: str = ""
