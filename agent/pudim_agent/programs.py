"""Runs a program of the host for what only it can tell: by argv, with no input, and with an end to its time and output."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from contextlib import suppress
from typing import NamedTuple

from pudim.deadlines import within

_PLAIN = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
"""Programs print for machines then; and nothing of the agent's own environment reaches them."""


class Output(NamedTuple):
    status: int
    text: bytes


class TooMuchOutput(ValueError):
    """A program printed more than it was asked for."""


def find(name: str, places: str) -> str | None:
    """Its path, None when it is not installed in one of `places`, which are joined by colons."""
    return shutil.which(name, path=places)


async def output_of(*argv: str, patience: float, most: int) -> Output:
    """What it prints. Raises OSError, TooMuchOutput, or asyncio.TimeoutError after `patience` seconds; it is killed then."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_PLAIN,
        start_new_session=True,
    )
    try:
        async with within(patience):
            return await _finish(process, most)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with what it started
            await process.wait()


async def _finish(process: asyncio.subprocess.Process, most: int) -> Output:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    parts, size = [], 0
    while part := await process.stdout.read(1 << 16):
        parts.append(part)
        if (size := size + len(part)) > most:
            raise TooMuchOutput(f"more than {most} bytes")
    return Output(await process.wait(), b"".join(parts))
