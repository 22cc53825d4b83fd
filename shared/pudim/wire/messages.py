"""Everything said inside a session: msgpack arrays `[kind, ...]`, whose fields are only ever appended.

Agent to collector: OPENING, BATCH, DECLARE, NOTICE, RESULT. Collector to agent: ACK, CONFIGURE, SLOW_DOWN, REFUSE,
CHECKS, COMMAND, TAKEN, MANDATE, SUCCESSOR. What an agent does not know it ignores; so collectors are upgraded before agents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pudim.wire.batches import BOOT_BYTES, MAX_SEQ, MAX_TIME
from pudim.wire.codec import bounded, is_labels, is_text, is_whole, misshapen, pack
from pudim.wire.keys import SIGNATURE_BYTES
from pudim.wire.layouts import MAX_LABELS, MAX_TEXT

OPENING, BATCH, DECLARE, NOTICE, RESULT = 1, 2, 3, 4, 5
ACK, CONFIGURE, SLOW_DOWN, REFUSE, CHECKS, COMMAND, TAKEN, MANDATE, SUCCESSOR = 1, 2, 3, 4, 5, 6, 7, 8, 9
MAX_PERIOD = 86_400_000
"""The longest interval or delay either end may ask for: a day in milliseconds."""
MAX_CHECKS = 1_000
MAX_NOTICE_BYTES = 1 << 17
_MAX_NOTICE_KIND = 64


@dataclass(frozen=True)
class Opening:
    """The agent's first message: its clock (ms), version, boot, sampling interval (ms) and facts of the host.

    Facts are short texts, by OpenTelemetry's resource names where there is one: host.name, os.description,
    os.type, host.arch, host.cpu.model.name.
    """

    sent_at: int
    agent_version: str
    boot_id: bytes
    interval: int
    facts: dict[str, str]

    def encode(self) -> bytes:
        return pack([OPENING, self.sent_at, self.agent_version, self.boot_id, self.interval, self.facts])

    @classmethod
    def decode(cls, message: tuple[Any, ...]) -> Opening:
        """Raises Malformed or TooDeep."""
        match message:
            case (1, sent_at, agent_version, bytes(boot_id), interval, facts, *_) if (
                is_whole(sent_at, 0, MAX_TIME)
                and is_text(agent_version, MAX_TEXT)
                and len(boot_id) == BOOT_BYTES
                and is_whole(interval, 1, MAX_PERIOD)
                and is_labels(facts, MAX_LABELS, MAX_TEXT)
            ):
                return cls(sent_at, agent_version, boot_id, interval, facts)
        raise misshapen(message, "a session opens with [1, sent_at, version, boot_id, interval, facts]")


@dataclass(frozen=True)
class Notice:
    """The newest word on a subject of the host, such as its containers; it takes the place of what was said before.

    `at` is the agent's time in milliseconds; `document` is a map. Sent when it changed, and on each connection.
    """

    kind: str
    at: int
    document: dict[str, Any]

    def encode(self) -> bytes:
        return pack([NOTICE, self.kind, self.at, self.document])

    @classmethod
    def decode(cls, message: tuple[Any, ...]) -> Notice:
        """Raises Malformed or TooDeep."""
        match message:
            case (4, kind, at, dict(document), *_) if is_text(kind, _MAX_NOTICE_KIND) and is_whole(
                at, 0, MAX_TIME
            ):
                return cls(kind, at, bounded(document))
        raise misshapen(message, "a notice is [4, kind, at, document]")


@dataclass(frozen=True)
class Result:
    """What became of a command, as the bytes that the agent signed."""

    body: bytes
    signature: bytes

    def encode(self) -> bytes:
        return pack([RESULT, self.body, self.signature])

    @classmethod
    def decode(cls, message: tuple[Any, ...]) -> Result:
        """Raises Malformed or TooDeep."""
        match message:
            case (5, bytes(body), bytes(signature), *_) if len(signature) == SIGNATURE_BYTES:
                return cls(body, signature)
        raise misshapen(message, "a result is [5, body, signature]")


def encode_declare(layouts: list[Any], sources: list[Any]) -> bytes:
    return pack([DECLARE, layouts, sources])


@dataclass(frozen=True)
class Ack:
    """Every batch of `boot_id` up to and including `seq` is on the collector's disk."""

    boot_id: bytes
    seq: int

    def encode(self) -> bytes:
        return pack([ACK, self.boot_id, self.seq])


@dataclass(frozen=True)
class Configure:
    """Sample every `interval` milliseconds from now on; 0 means the agent's own setting."""

    interval: int

    def encode(self) -> bytes:
        return pack([CONFIGURE, self.interval])


@dataclass(frozen=True)
class SlowDown:
    """Wait `delay` milliseconds before the next batch."""

    delay: int

    def encode(self) -> bytes:
        return pack([SLOW_DOWN, self.delay])


@dataclass(frozen=True)
class Refuse:
    """The collector's no. With `boot_id` and `seq` it is about that batch, else about the session.

    `retry` says whether the same batch or session may be accepted later; if not, a batch must be dropped and
    counted as skipped. `expected` is the sequence number that the collector waits for (sequence_gap).
    """

    code: str
    detail: str
    retry: bool
    boot_id: bytes | None = None
    seq: int | None = None
    expected: int | None = None

    def encode(self) -> bytes:
        return pack([REFUSE, self.code, self.detail, self.retry, self.boot_id, self.seq, self.expected])


@dataclass(frozen=True)
class Checks:
    """All checks that this agent is to run from now on, each as `pudim.checks` reads it; `revision` names the list."""

    revision: int
    checks: tuple[dict[str, Any], ...]

    def encode(self) -> bytes:
        return pack([CHECKS, self.revision, list(self.checks)])


@dataclass(frozen=True)
class Command:
    """A signed envelope, as the bytes that were signed: nothing of it is read before its signature was checked."""

    envelope: bytes
    signature: bytes

    def encode(self) -> bytes:
        return pack([COMMAND, self.envelope, self.signature])


@dataclass(frozen=True)
class Taken:
    """The agent's results up to and including number `sequence` are on the collector's disk."""

    sequence: int

    def encode(self) -> bytes:
        return pack([TAKEN, self.sequence])


@dataclass(frozen=True)
class Mandate:
    """Which key signs commands, as the bytes that the pinned collector signed, and what time it is there (ms).

    `succession` is the signature of the key before, empty for the first one.
    """

    statement: bytes
    signature: bytes
    succession: bytes
    at: int

    def encode(self) -> bytes:
        return pack([MANDATE, self.statement, self.signature, self.succession, self.at])


@dataclass(frozen=True)
class Successor:
    """Which key the collector is going to have, as a link of `pudim.succession` that its key signed."""

    link: bytes

    def encode(self) -> bytes:
        return pack([SUCCESSOR, self.link])


FromCollector = Ack | Configure | SlowDown | Refuse | Checks | Command | Taken | Mandate | Successor


def decode_from_collector(message: tuple[Any, ...]) -> FromCollector | None:
    """What the collector said; None for a kind that a newer collector may send. Raises Malformed or TooDeep."""
    match message:
        case (1, bytes(boot_id), seq, *_) if len(boot_id) == BOOT_BYTES and is_whole(seq, 0, MAX_SEQ):
            return Ack(boot_id, seq)
        case (2, interval, *_) if is_whole(interval, 0, MAX_PERIOD):
            return Configure(interval)
        case (3, delay, *_) if is_whole(delay, 0, MAX_PERIOD):
            return SlowDown(delay)
        case (4, str(code), str(detail), bool(retry), boot_id, seq, expected, *_) if (
            (boot_id is None or (isinstance(boot_id, bytes) and len(boot_id) == BOOT_BYTES))
            and (seq is None or is_whole(seq, 0, MAX_SEQ))
            and (expected is None or is_whole(expected, 0, MAX_SEQ))
        ):
            return Refuse(code, detail, retry, boot_id, seq, expected)
        case (int(kind), *_) if kind > REFUSE:
            return _decode_order(message)
    raise misshapen(message, "not a message of a collector")


def _decode_order(message: tuple[Any, ...]) -> FromCollector | None:
    match message:
        case (5, revision, tuple(checks), *_) if (
            is_whole(revision, 0, MAX_SEQ)
            and len(checks) <= MAX_CHECKS
            and all(isinstance(one, dict) for one in checks)
        ):
            return Checks(revision, checks)
        case (6, bytes(envelope), bytes(signature), *_) if len(signature) == SIGNATURE_BYTES:
            return Command(envelope, signature)
        case (7, sequence, *_) if is_whole(sequence, 0, MAX_SEQ):
            return Taken(sequence)
        case (8, bytes(statement), bytes(signature), bytes(succession), at, *_) if (
            len(signature) == SIGNATURE_BYTES
            and len(succession) in (0, SIGNATURE_BYTES)
            and is_whole(at, 0, MAX_TIME)
        ):
            return Mandate(statement, signature, succession, at)
        case (9, bytes(link), *_):
            return Successor(link)
        case (int(kind), *_) if kind > SUCCESSOR:
            return None
    raise misshapen(message, "not an order of a collector")
