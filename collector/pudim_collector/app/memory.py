"""Keeps the collector's memory flat: what was imported is out of the garbage collector, what is not used goes back."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from functools import cache

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Of glibc's mallopt(3)."""
_LARGE = 1 << 20
"""Bytes from which an array has pages of its own. Left alone, glibc raises this to 32 MiB with the arrays it sees, and
what an hour's compaction or a long range took would stay in the heap between small things that live on."""
_ARENAS = 2
"""Each thread would keep an arena with what it once needed, and reading and the upkeep take turns on several."""
_GIVE_BACK_SECONDS = 300.0


@cache
def _glibc() -> ctypes.CDLL | None:
    """None with another C library."""
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt, libc.malloc_trim  # noqa: B018 - asks whether they are there
    except (OSError, AttributeError):
        return None
    return libc


def settle_memory() -> None:
    """To be called once all is imported and assembled, before requests come."""
    # Looked through again and again, what never is garbage would cost a request 30 ms now and then.
    gc.collect()
    gc.freeze()
    if (libc := _glibc()) is not None:
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        libc.mallopt(_M_ARENA_MAX, _ARENAS)


async def give_back_now_and_then(seconds: float = _GIVE_BACK_SECONDS) -> None:
    """For ever: free pages between used ones, as a burst of batches or a long range leaves them behind."""
    while True:
        await asyncio.sleep(seconds)
        if (libc := _glibc()) is not None:
            await asyncio.to_thread(libc.malloc_trim, 0)
