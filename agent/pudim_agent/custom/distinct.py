"""Counts how many different texts were seen, in bounded memory."""

from __future__ import annotations

from hashlib import blake2b
from heapq import heappush, heapreplace

_SPACE = 1 << 64


class Distinct:
    """Exact below `most` texts; beyond, an estimate with a standard error of 1/sqrt(most - 2).

    The `most` smallest hashes are kept: the closer they lie together, the more there were (Bar-Yossef et al. 2002,
    Beyer et al. 2007).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: set[int] = set()
        self._largest: list[int] = []  # a heap of negated hashes

    def add(self, text: bytes) -> None:
        hashed = int.from_bytes(blake2b(text, digest_size=8).digest(), "little")
        if hashed in self._kept:
            return
        if len(self._largest) < self._most:
            heappush(self._largest, -hashed)
        elif hashed < -self._largest[0]:
            self._kept.discard(-heapreplace(self._largest, -hashed))
        else:
            return
        self._kept.add(hashed)

    def __len__(self) -> int:
        if len(self._largest) < self._most:
            return len(self._largest)
        return round((self._most - 1) * _SPACE / -self._largest[0])
