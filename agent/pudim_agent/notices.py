"""What the collector is told beside frames: the newest word on each subject of the host, and nothing twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

from pudim.wire.codec import pack
from pudim.wire.messages import MAX_NOTICE_BYTES, Notice

_log = logging.getLogger(__name__)


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

    def since(self, number: int) -> Iterator[tuple[int, bytes]]:
        """The messages that came after the one of that number, oldest first."""
        yield from sorted(one for one in self._messages.values() if one[0] > number)

    async def changed(self) -> None:
        """Wait until something was told that `since` has not given yet, perhaps."""
        await self._changed.wait()
        self._changed.clear()
