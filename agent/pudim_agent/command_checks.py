"""Whether a command is this host's to do, decided in a fixed order and by values only: the first no counts."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pudim.vocabulary.errors import PudimError
from pudim.wire.commands import (
    MAX_ENVELOPE_BYTES,
    MAX_LIFE_MS,
    Envelope,
    Mandate,
    key_id,
    named_key,
    verify_envelope,
    verify_succession,
)
from pudim.wire.refusals import BadSignature, Refusal

MAX_SKEW_MS = 30_000


class CommandRefused(PudimError):
    """The command is not done."""

    code = "refused"


class TooLong(CommandRefused):
    """The command is larger than any may be."""

    code = "oversize"


class UnknownKey(CommandRefused):
    """The key that signed it is not the one that this host was told of."""

    code = "unknown_key"


class RevokedKey(CommandRefused):
    """The key that signed it was replaced."""

    code = "revoked_key"


class KeyNotPinned(CommandRefused):
    """The host's policy names another key."""

    code = "key_not_pinned"


class Forged(CommandRefused):
    """The signature is not the key's."""

    code = "bad_signature"


class Unreadable(CommandRefused):
    """It is signed, and not shaped as this version says."""

    code = "malformed"


class OtherAgent(CommandRefused):
    """It is for another agent."""

    code = "other_agent"


class OtherEnrolment(CommandRefused):
    """It is for another enrolment of this agent."""

    code = "other_enrolment"


class OtherRun(CommandRefused):
    """It is for an earlier run of this agent."""

    code = "other_run"


class ClockUnknown(CommandRefused):
    """How far this clock is from the collector's is not known."""

    code = "clock_unknown"


class ClockApart(CommandRefused):
    """This clock and the collector's are more than 30 seconds apart."""

    code = "clock_skew"


class TooLongLived(CommandRefused):
    """It says that it is good for longer than two minutes, or for no time at all."""

    code = "too_long_lived"


class NotYetValid(CommandRefused):
    """It was issued in the future."""

    code = "not_yet_valid"


class Expired(CommandRefused):
    """Its time is over."""

    code = "expired"


class AlreadySeen(CommandRefused):
    """Its number, or a higher one, was used already."""

    code = "replayed"


class StaleMandate(CommandRefused):
    """The collector named an older key for commands, or another one under the same number."""

    code = "stale_mandate"


class ForgedSuccession(CommandRefused):
    """The key for commands would be replaced without the word of the one before."""

    code = "forged_succession"


@dataclass(frozen=True)
class Audience:
    """Whom a command must name. `run` is made up at each start."""

    agent_id: UUID
    epoch: bytes
    run: bytes


@dataclass(frozen=True)
class Keys:
    """The key that signs commands, None until the collector said so, and the ids of those before it."""

    serial: int = 0
    current: Ed25519PublicKey | None = None
    revoked: tuple[bytes, ...] = ()


def authentic(envelope: bytes, signature: bytes, keys: Keys) -> Envelope:
    """What was signed: size, key and signature first, and only then is it decoded. Raises a CommandRefused."""
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise TooLong(f"{len(envelope)} bytes, at most {MAX_ENVELOPE_BYTES} are allowed")
    named = named_key(envelope)
    if named in keys.revoked:
        raise RevokedKey
    if keys.current is None or named != key_id(keys.current):
        raise UnknownKey
    try:
        verify_envelope(envelope, signature, keys.current)
    except BadSignature as error:
        raise Forged from error
    try:
        return Envelope.decode(envelope)
    except Refusal as error:
        raise Unreadable(error.detail) from error


def check_audience(envelope: Envelope, own: Audience) -> None:
    """Raises OtherAgent, OtherEnrolment or OtherRun."""
    if envelope.agent_id != own.agent_id:
        raise OtherAgent
    if envelope.epoch != own.epoch:
        raise OtherEnrolment
    if envelope.run != own.run:
        raise OtherRun


def check_time(envelope: Envelope, now: int, ahead: int | None) -> None:
    """By this host's clock alone, `now`; `ahead` is how far the collector's is said to be before it, both in ms.

    What the collector says of the time can only make the answer a no: else who speaks for it could bring back what has
    expired. Raises a CommandRefused.
    """
    if ahead is None:
        raise ClockUnknown
    if abs(ahead) > MAX_SKEW_MS:
        raise ClockApart(f"{ahead / 1000:+.0f} s apart")
    if not 0 < envelope.expires - envelope.issued <= MAX_LIFE_MS:
        raise TooLongLived
    if now < envelope.issued - MAX_SKEW_MS:
        raise NotYetValid
    if now > envelope.expires:
        raise Expired


def check_sequence(envelope: Envelope, last: int) -> None:
    """Raises AlreadySeen."""
    if envelope.sequence <= last:
        raise AlreadySeen


def succeeded(keys: Keys, mandate: Mandate, statement: bytes, succession: bytes) -> Keys:
    """The keys after a mandate of the pinned collector; `keys` itself if it says nothing new.

    The first one is believed; each later one needs the word of the key before. Raises StaleMandate or ForgedSuccession.
    """
    if keys.current is None:
        return Keys(mandate.serial, mandate.key)
    same = key_id(mandate.key) == key_id(keys.current)
    if mandate.serial == keys.serial and same:
        return keys
    if mandate.serial < keys.serial and key_id(mandate.key) in keys.revoked:
        return keys  # the collector tells all successions, for who missed some
    if mandate.serial <= keys.serial or same:
        raise StaleMandate
    try:
        verify_succession(statement, succession, keys.current)
    except BadSignature as error:
        raise ForgedSuccession from error
    return Keys(mandate.serial, mandate.key, (*keys.revoked[-_MOST_REVOKED + 1 :], key_id(keys.current)))


_MOST_REVOKED = 16
