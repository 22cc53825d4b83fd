"""What happens on the ways in. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class FactorAsked:
    """A password was right and a second step is missing."""

    user_id: UUID
    step: str
    address: str


@dataclass(frozen=True)
class SignedInOnNewDevice:
    user_id: UUID
    address: str
    device: str


@dataclass(frozen=True)
class Proved:
    """Somebody who is signed in showed again who he is."""

    user_id: UUID
    session_id: UUID
    address: str


@dataclass(frozen=True)
class ProofRefused:
    user_id: UUID
    address: str


@dataclass(frozen=True)
class OtherSessionsEnded:
    user_id: UUID
