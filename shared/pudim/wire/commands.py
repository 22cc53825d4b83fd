"""What a host may be asked to do, and what it answers: bytes that are signed as they are and read only afterwards.

Three signed documents, each a msgpack array under a domain of its own: a *mandate* by which the pinned collector says which
key signs commands, an *envelope* by which that key asks one run of one agent for one action, and a *report* by which the
agent says what became of it. Reports are chained by the digest of the one before, so that a missing one is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pudim.wire.batches import MAX_SEQ, MAX_TIME
from pudim.wire.codec import bounded, is_text, is_whole, misshapen, pack, unpack
from pudim.wire.keys import KEY_BYTES, public_bytes, public_from_bytes, signed_by, verify
from pudim.wire.refusals import BadSignature, Malformed, Oversize

VERSION = 1
COMMAND_DOMAIN = b"pudim-cmd-v1\0"
RESULT_DOMAIN = b"pudim-result-v1\0"
MANDATE_DOMAIN = b"pudim-mandate-v1\0"
SUCCESSION_DOMAIN = b"pudim-succession-v1\0"
MAX_ENVELOPE_BYTES = 1 << 14
MAX_REPORT_BYTES = 1 << 17
MAX_OUTPUT = 1 << 16
"""Bytes of a report's output, as UTF-8."""
MAX_LIFE_MS = 120_000
MAX_ARGS = 16
MAX_APPROVALS = 8
MAX_WORD = 256
RUN_BYTES = 16
EPOCH_BYTES = 16
KEY_ID_BYTES = 8
DIGEST_BYTES = 32
NOTHING_BEFORE = bytes(DIGEST_BYTES)
"""What the first report of an agent is chained to."""
OUTCOMES = ("done", "failed", "refused")
Args = dict[str, Any]


def key_id(key: Ed25519PublicKey) -> bytes:
    """A key's short name; it proves nothing."""
    return sha256(public_bytes(key)).digest()[:KEY_ID_BYTES]


def epoch_of(agent: Ed25519PublicKey) -> bytes:
    """The enrolment that an agent's key belongs to: each enrolment makes its own key, and both ends know it."""
    return sha256(b"pudim enrolment epoch\0" + public_bytes(agent)).digest()[:EPOCH_BYTES]


def digest_of(body: bytes) -> bytes:
    """How a report names the one before it, and a command the policy that it was made for."""
    return sha256(body).digest()


# The mandate


@dataclass(frozen=True)
class Mandate:
    """The key that signs commands from now on. A higher `serial` takes the place of a lower one."""

    serial: int
    key: Ed25519PublicKey

    def encode(self) -> bytes:
        return pack([VERSION, self.serial, public_bytes(self.key)])

    @classmethod
    def decode(cls, statement: bytes) -> Mandate:
        """Of a statement whose signature was checked. Raises Malformed, or BadKey."""
        match _strict(statement):
            case (version, serial, bytes(key), *_) if (
                _is_ours(version) and is_whole(serial, 1, MAX_SEQ) and len(key) == KEY_BYTES
            ):
                return cls(serial, public_from_bytes(key))
            case other:
                raise misshapen(other, "a mandate is [1, serial, key]")


def sign_mandate(statement: bytes, collector: Ed25519PrivateKey) -> bytes:
    return collector.sign(MANDATE_DOMAIN + statement)


def verify_mandate(statement: bytes, signature: bytes, *collector: Ed25519PublicKey) -> None:
    """Of one of the keys that are believed. Raises BadSignature: it is not from the pinned collector."""
    signed = MANDATE_DOMAIN + statement
    if not any(signed_by(public_bytes(one), signature, signed) for one in collector):
        raise BadSignature


def sign_succession(statement: bytes, previous: Ed25519PrivateKey) -> bytes:
    """The word of the key before: who holds the collector's key alone cannot put in another one."""
    return previous.sign(SUCCESSION_DOMAIN + statement)


def verify_succession(statement: bytes, signature: bytes, previous: Ed25519PublicKey) -> None:
    """Raises BadSignature."""
    verify(previous, signature, SUCCESSION_DOMAIN + statement)


# The envelope


@dataclass(frozen=True)
class Envelope:
    """One action for one run of one agent. Times are the collector's, in milliseconds.

    `run` is what the agent made up when it was started, so that nothing of an earlier run is done again whatever became of
    the host's files. `policy` is the digest of the policy that the action was chosen by; None means any.
    """

    key_id: bytes
    command_id: UUID
    agent_id: UUID
    epoch: bytes
    run: bytes
    sequence: int
    issued: int
    expires: int
    action: str
    args: Args = field(default_factory=dict)
    actor: str = ""
    approvals: tuple[str, ...] = ()
    policy: bytes | None = None

    def encode(self) -> bytes:
        return pack(
            [
                VERSION,
                self.key_id,
                self.command_id.bytes,
                self.agent_id.bytes,
                self.epoch,
                self.run,
                self.sequence,
                self.issued,
                self.expires,
                self.action,
                self.args,
                self.actor,
                list(self.approvals),
                self.policy,
            ]
        )

    @classmethod
    def decode(cls, envelope: bytes) -> Envelope:
        """Of an envelope whose signature was checked. Raises Malformed, TooDeep or Oversize."""
        message = _strict(envelope)
        match message:
            case (
                version,
                bytes(key),
                bytes(command),
                bytes(agent),
                bytes(epoch),
                bytes(run),
                sequence,
                issued,
                expires,
                action,
                dict(args),
                actor,
                tuple(approvals),
                policy,
                *_,
            ) if (
                _is_ours(version)
                and _lengths(
                    (key, KEY_ID_BYTES), (command, 16), (agent, 16), (epoch, EPOCH_BYTES), (run, RUN_BYTES)
                )
                and is_whole(sequence, 1, MAX_SEQ)
                and is_whole(issued, 0, MAX_TIME)
                and is_whole(expires, 0, MAX_TIME)
                and _is_word(action)
                and _are_args(args)
                and is_text(actor, MAX_WORD)
                and _are_approvals(approvals)
                and _is_digest_or_none(policy)
            ):
                return cls(
                    key,
                    UUID(bytes=command),
                    UUID(bytes=agent),
                    epoch,
                    run,
                    sequence,
                    issued,
                    expires,
                    action,
                    args,
                    actor,
                    approvals,
                    policy,
                )
        raise misshapen(message, "not an envelope of this version")


def sign_envelope(envelope: bytes, key: Ed25519PrivateKey) -> bytes:
    return key.sign(COMMAND_DOMAIN + envelope)


def verify_envelope(envelope: bytes, signature: bytes, key: Ed25519PublicKey) -> None:
    """Raises BadSignature."""
    verify(key, signature, COMMAND_DOMAIN + envelope)


_FIRST_FIELDS = {0x9E: 1, 0x9F: 1, 0xDC: 3}
"""Where the fields start, by the first byte of an array of 14, 15 and more of them."""
_BEFORE_KEY = b"\x01\xc4\x08"


def named_key(envelope: bytes) -> bytes | None:
    """The id of the key that an envelope claims to be signed by, read at fixed offsets so that nothing is decoded."""
    start = _FIRST_FIELDS.get(envelope[0], 0) if envelope else 0
    end = start + len(_BEFORE_KEY)
    if not start or envelope[start:end] != _BEFORE_KEY:
        return None
    return envelope[end : end + KEY_ID_BYTES]


# The report


@dataclass(frozen=True)
class Report:
    """What became of a command, or of bytes that passed for one; `previous` is the digest of the report before.

    `code` names a refusal or a failure. `command_id` is None where the bytes were not read, being no command of this
    agent's; `about` is their digest. `unreported` counts refusals before this one that there was no room to keep.
    """

    agent_id: UUID
    epoch: bytes
    sequence: int
    previous: bytes
    command_id: UUID | None
    about: bytes
    outcome: str
    code: str
    detail: str
    output: str
    truncated: bool
    started: int
    ended: int
    unreported: int = 0

    def encode(self) -> bytes:
        return pack(
            [
                VERSION,
                self.agent_id.bytes,
                self.epoch,
                self.sequence,
                self.previous,
                self.command_id.bytes if self.command_id else None,
                self.about,
                self.outcome,
                self.code,
                self.detail,
                self.output,
                self.truncated,
                self.started,
                self.ended,
                self.unreported,
            ]
        )

    @classmethod
    def decode(cls, body: bytes) -> Report:
        """Of a body whose signature was checked. Raises Malformed, TooDeep or Oversize."""
        if len(body) > MAX_REPORT_BYTES:
            raise Oversize(f"{len(body)} bytes, at most {MAX_REPORT_BYTES} are allowed")
        message = _strict(body)
        match message:
            case (
                version,
                bytes(agent),
                bytes(epoch),
                sequence,
                bytes(previous),
                command,
                bytes(about),
                str(outcome),
                code,
                detail,
                output,
                bool(truncated),
                started,
                ended,
                unreported,
                *_,
            ) if (
                _is_ours(version)
                and _lengths(
                    (agent, 16), (epoch, EPOCH_BYTES), (previous, DIGEST_BYTES), (about, DIGEST_BYTES)
                )
                and is_whole(sequence, 1, MAX_SEQ)
                and (command is None or (isinstance(command, bytes) and _lengths((command, 16))))
                and outcome in OUTCOMES
                and is_text(code, MAX_WORD)
                and is_text(detail, 4 * MAX_WORD)
                and is_text(output, MAX_OUTPUT)
                and is_whole(started, 0, MAX_TIME)
                and is_whole(ended, 0, MAX_TIME)
                and is_whole(unreported, 0, MAX_SEQ)
            ):
                return cls(
                    UUID(bytes=agent),
                    epoch,
                    sequence,
                    previous,
                    UUID(bytes=command) if command else None,
                    about,
                    outcome,
                    code,
                    detail,
                    output,
                    truncated,
                    started,
                    ended,
                    unreported,
                )
        raise misshapen(message, "not a report of this version")


def sign_report(body: bytes, agent: Ed25519PrivateKey) -> bytes:
    return agent.sign(RESULT_DOMAIN + body)


def verify_report(body: bytes, signature: bytes, agent: Ed25519PublicKey) -> None:
    """Raises BadSignature: it is not from this agent."""
    verify(agent, signature, RESULT_DOMAIN + body)


# What they share


def _strict(body: bytes) -> tuple[Any, ...]:
    """Decoded, and encoded the one way there is: a map that names a field twice would be read differently elsewhere."""
    message = unpack(body)
    if pack(bounded(message)) != body:
        raise Malformed("not encoded in the shortest form, or a field is named twice")
    return message


def _is_ours(version: Any) -> bool:
    return is_whole(version, VERSION, VERSION)


def _lengths(*expected: tuple[bytes, int]) -> bool:
    return all(len(value) == length for value, length in expected)


def _is_word(value: Any) -> bool:
    return is_text(value, MAX_WORD) and bool(value)


def _are_args(args: dict[Any, Any]) -> bool:
    return len(args) <= MAX_ARGS and all(map(_is_word, args)) and all(map(_is_plain, args.values()))


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, bytes, bool, int))


def _are_approvals(approvals: tuple[Any, ...]) -> bool:
    return len(approvals) <= MAX_APPROVALS and all(map(_is_word, approvals))


def _is_digest_or_none(value: Any) -> bool:
    return value is None or (isinstance(value, bytes) and len(value) == DIGEST_BYTES)
