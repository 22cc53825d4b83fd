"""Takes in an answer's body piece by piece, packed or not, and stops at a bound of both what was sent and what it unpacks to."""

from __future__ import annotations

import zlib

from pudim_collector.infra.safe_http.errors import Malformed, TooLarge

_GZIP = 16 + zlib.MAX_WBITS


class Body:
    """`encoding` is the header's word; one that was not offered is refused. Raises Malformed or TooLarge throughout."""

    def __init__(self, encoding: str, most: int) -> None:
        if encoding.lower() not in {"", "identity", "gzip"}:
            raise Malformed("The answer is packed in a way that was not asked for.")
        self._unpacker = zlib.decompressobj(_GZIP) if encoding.lower() == "gzip" else None
        self._most, self._came, self._found = most, 0, bytearray()

    def add(self, part: bytes) -> None:
        self._came += len(part)
        self._found += part if self._unpacker is None else self._unpacked(part)
        if self._came > self._most or len(self._found) > self._most:
            raise TooLarge(f"The answer is larger than {self._most} bytes.")

    def whole(self) -> bytes:
        if self._unpacker is not None and self._came and not self._unpacker.eof:
            raise Malformed("The packed answer ends too early.")
        return bytes(self._found)

    def _unpacked(self, part: bytes) -> bytes:
        """No more than one byte over the bound is ever unpacked."""
        assert self._unpacker is not None  # noqa: S101 - for the type checker; only called so
        try:
            found = self._unpacker.decompress(part, self._most - len(self._found) + 1)
        except zlib.error:
            raise Malformed("The packed answer cannot be unpacked.") from None
        if self._unpacker.unused_data:
            raise Malformed("Something follows the packed answer.")
        return found
