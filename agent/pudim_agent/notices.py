"""What the collector is told beside frames: the newest word on each subject of the host, and nothing twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from pudim.wire.codec import pack
from pudim.wire.messages import MAX_NOTICE_BYTES, Notice

_log = logging.getLogger(__name__)
_ROOM_FOR_WORDS = 16 << 10


class Notices:
    """Samplers tell, one session at a time listens. A document that says the same as before is not told again."""

    def __init__(self) -> None:
        self._documents: dict[str, bytes] = {}
        self._messages: dict[str, tuple[int, bytes]] = {}
        self._number = 0
        self._changed = asyncio.Event()
        self._too_long: set[str] = set()

    def tell(self, kind: str, at_ms: int, document: dict[str, Any]) -> None:
        """`document` holds what msgpack can: texts, numbers, None, lists and maps. One too long is not told."""
        packed = pack(document)
        if self._documents.get(kind) == packed:
            return
        if len(packed) > MAX_NOTICE_BYTES:
            if kind not in self._too_long:
                self._too_long.add(kind)
                _log.warning("%d bytes of %s are too many to tell (said once)", len(packed), kind)
            return
        self._documents[kind] = packed
        self._number += 1
        self._messages[kind] = (self._number, Notice(kind, at_ms, document).encode())
        self._changed.set()

    def repeat(self) -> int:
        """Tell each subject once more, as it was told last and as it will be told next; how many there are."""
        self._documents.clear()
        for kind, (_, message) in list(self._messages.items()):
            self._number += 1
            self._messages[kind] = (self._number, message)
        self._changed.set()
        return len(self._messages)

    def since(self, number: int) -> Iterator[tuple[int, bytes]]:
        """The messages that came after the one of that number, oldest first."""
        yield from sorted(one for one in self._messages.values() if one[0] > number)

    async def changed(self) -> None:
        """Wait until something was told that `since` has not given yet, perhaps."""
        await self._changed.wait()
        self._changed.clear()


def fitting(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of the first as one document has room for, beside a few words."""
    found, left = [], MAX_NOTICE_BYTES - _ROOM_FOR_WORDS
    for entry in entries:
        left -= len(pack(entry))
        if left < 0:
            break
        found.append(entry)
    return found
