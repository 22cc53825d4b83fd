"""Keeps the collector's memory flat: what was imported is out of the garbage collector, large arrays go back when done."""

from __future__ import annotations

import ctypes
import gc
import logging

_log = logging.getLogger(__name__)
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Of glibc's mallopt(3)."""
_LARGE = 1 << 20
"""Bytes from which an array has pages of its own. Left alone, glibc raises this to 32 MiB with the arrays it sees, and
what an hour's compaction or a long range took would stay in the heap between small things that live on."""
_ARENAS = 2
"""Each thread would keep an arena with what it once needed, and reading and the upkeep take turns on several."""


def settle_memory() -> None:
    """To be called once all is imported and assembled, before requests come."""
    # Looked through again and again, what never is garbage would cost a request 30 ms now and then.
    gc.collect()
    gc.freeze()
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # not glibc
        return
    if not (mallopt(_M_MMAP_THRESHOLD, _LARGE) and mallopt(_M_ARENA_MAX, _ARENAS)):
        _log.debug("the allocator keeps its own settings")
