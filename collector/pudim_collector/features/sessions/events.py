"""What happens on the ways in. No secret is ever part of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited

_USER = Actor("user", "user_id")


@audited("session.half_begun", "showed a password and owes a second step", actor=_USER, of_person=True)
@dataclass(frozen=True)
class FactorAsked:
    """A password was right and a second step is missing."""

    user_id: UUID
    step: str
    address: str


@audited("session.new_device", "signed in with a new device", actor=_USER, of_person=True)
@dataclass(frozen=True)
class SignedInOnNewDevice:
    user_id: UUID
    address: str
    device: str


@audited("session.proved", "proved again who it is", target=Target("session", "session_id"), of_person=True)
@dataclass(frozen=True)
class Proved:
    """Somebody who is signed in showed again who he is."""

    user_id: UUID
    session_id: UUID
    address: str


@audited(
    "session.proof_refused",
    "could not prove again who it is",
    actor=_USER,
    result=Result.REFUSED,
    of_person=True,
)
@dataclass(frozen=True)
class ProofRefused:
    user_id: UUID
    address: str


@audited("session.others_ended", "ended all other sessions", of_person=True)
@dataclass(frozen=True)
class OtherSessionsEnded:
    user_id: UUID
