"""Messages of an open session: sealed with HMAC-SHA256 and counted, and checked before they are decoded.

    version[1] mac[32] counter[8] body

The MAC covers counter and body; the version is bound by the session's keys. Counters start at 1 in each
direction, so that a repeated, dropped or reordered message is told from a forged one.
"""

from __future__ import annotations

from hmac import compare_digest, digest

from pudim.wire.handshake import SessionKeys
from pudim.wire.refusals import BadSignature, CounterGap, Malformed, Replayed, UnknownVersion

HEADER_BYTES = 41
_SIGNED_FROM = 33


class Channel:
    """One end of an open session."""

    __slots__ = ("_received", "_receiving", "_sending", "_sent", "version")

    def __init__(self, version: int, sending: bytes, receiving: bytes) -> None:
        self.version = version
        self._sending, self._receiving = sending, receiving
        self._sent = self._received = 0

    @classmethod
    def of_agent(cls, keys: SessionKeys) -> Channel:
        return cls(keys.version, keys.to_collector, keys.to_agent)

    @classmethod
    def of_collector(cls, keys: SessionKeys) -> Channel:
        return cls(keys.version, keys.to_agent, keys.to_collector)

    def seal(self, body: bytes) -> bytes:
        self._sent += 1
        signed = self._sent.to_bytes(8, "big") + body
        return b"%c%b%b" % (self.version, digest(self._sending, signed, "sha256"), signed)

    def open(self, message: bytes) -> bytes:
        """The body of an authentic next message. Raises a named Refusal; a refused message changes nothing."""
        if len(message) < HEADER_BYTES:
            raise Malformed("shorter than a message's header")
        if message[0] != self.version:
            raise UnknownVersion(f"version {message[0]} in a session of version {self.version}")
        signed = message[_SIGNED_FROM:]
        if not compare_digest(digest(self._receiving, signed, "sha256"), message[1:_SIGNED_FROM]):
            raise BadSignature
        counter = int.from_bytes(signed[:8], "big")
        if counter != self._received + 1:
            raise Replayed if counter <= self._received else CounterGap
        self._received = counter
        return signed[8:]
