"""Memory that a burst has left behind goes back to the system."""

import asyncio
import contextlib
import subprocess
import sys

import pytest

from pudim_collector.app.memory import give_back_now_and_then

FREED_BETWEEN_USED = """
import asyncio, ctypes, sys
from pathlib import Path
from pudim_collector.app.memory import give_back_now_and_then, settle_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

async def main():
    settle_memory()
    blocks = [bytearray(50_000) for _ in range(2000)]
    held = blocks[::50]
    before = resident()
    del blocks
    giving = asyncio.ensure_future(give_back_now_and_then(0.01))
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if resident() < before - 50_000_000:
            break
    giving.cancel()
    print(len(held), before - resident())

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone keeps what is freed so")
def test_what_was_freed_between_what_is_used_goes_back() -> None:
    said = subprocess.run(
        [sys.executable, "-c", FREED_BETWEEN_USED], capture_output=True, text=True, check=True
    ).stdout
    held, given_back = map(int, said.split())
    assert held == 40
    assert given_back > 50_000_000


async def test_it_ends_with_its_task() -> None:
    giving = asyncio.ensure_future(give_back_now_and_then(3600))
    await asyncio.sleep(0)
    giving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await giving
    assert giving.cancelled()
