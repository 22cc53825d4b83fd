"""A ZIP file that is made while it is read: it costs the memory of one piece, however large it becomes."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from datetime import datetime

_PIECE = 1 << 15
_PRIVATE_FILE = 0o600 << 16


class _Outflow:
    """What a ZipFile writes into where nothing can be sought."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, piece: bytes, /) -> int:
        self._waiting += piece
        return len(piece)

    def flush(self) -> None:
        """There is nothing behind it."""

    def close(self) -> None:
        """Nor anything to close."""

    def drained(self, least: int = 1) -> bytes:
        """What was written since, if it is that much."""
        if len(self._waiting) < least:
            return b""
        piece = bytes(self._waiting)
        self._waiting.clear()
        return piece


async def zipped(
    files: AsyncIterator[tuple[str, AsyncIterator[bytes]]], made_at: datetime
) -> AsyncIterator[bytes]:
    """Each file's name with its content in pieces; a file is asked for when the one before has ended."""
    outflow = _Outflow()
    with zipfile.ZipFile(outflow, "w", zipfile.ZIP_DEFLATED) as archive:
        async for name, pieces in files:
            entry = zipfile.ZipInfo(name, made_at.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, _PRIVATE_FILE
            with archive.open(entry, "w") as member:
                async for piece in pieces:
                    member.write(piece)
                    if ready := outflow.drained(_PIECE):
                        yield ready
    yield outflow.drained()
