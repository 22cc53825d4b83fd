"""Which pages may be given back."""

from __future__ import annotations

import os

from pudim_agent.frugality import give_back_memory, unchanged_library_pages

SMAPS = """\
7f0000000000-7f0000001000 r--p 00000000 fe:00 1 /usr/lib/libx.so
Size:                  4 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
7f0000001000-7f0000003000 r-xp 00001000 fe:00 1 /usr/lib/libx.so
Anonymous:             0 kB
7f0000003000-7f0000004000 r--p 00003000 fe:00 1 /usr/lib/libx.so
Anonymous:             4 kB
7f0000004000-7f0000005000 rw-p 00004000 fe:00 1 /usr/lib/libx.so
Anonymous:             0 kB
7f0000006000-7f0000007000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000008000-7f0000009000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
7f000000a000-7f000000b000 rwxp 00000000 fe:00 1 /usr/lib/jit.so
Anonymous:             0 kB
"""


def test_only_unchanged_pages_of_files_that_cannot_be_written_to() -> None:
    found = list(unchanged_library_pages(SMAPS.splitlines()))
    assert found == [(0x7F0000000000, 0x7F0000001000), (0x7F0000001000, 0x7F0000003000)]


def test_giving_back_leaves_everything_working() -> None:
    give_back_memory()
    give_back_memory()
    assert sorted(os.urandom(100)) != [0] * 100
