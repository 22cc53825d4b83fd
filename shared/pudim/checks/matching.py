"""Runs a user's regular expression in a process of its own: Python's can take for ever, and hold up every thread meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import warnings

from pudim.checks import Unknown
from pudim.deadlines import within

SECONDS = 2.0
LONGEST_PATTERN = 512
_FOUND, _NOT_FOUND = 0, 10
_MEMORY = 1 << 29
_PROGRAM = f"""
import re, resource, sys, warnings
resource.setrlimit(resource.RLIMIT_CPU, ({int(SECONDS) + 1}, {int(SECONDS) + 1}))
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY}, {_MEMORY}))
warnings.simplefilter("ignore")
pattern, _, text = sys.stdin.buffer.read().decode(errors="replace").partition("\\0")
sys.exit({_FOUND} if re.search(pattern, text) else {_NOT_FOUND})
"""


def pattern_fault(pattern: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    return None


async def is_found(pattern: str, text: str) -> bool:
    """Whether `pattern` matches anywhere in `text`. Raises Unknown when that takes longer than SECONDS."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", _PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        said = f"{pattern}\0{text}".encode(errors="replace")
        async with within(SECONDS):
            await process.communicate(said)
    except asyncio.TimeoutError as error:
        raise Unknown("pattern_too_slow", f"the pattern took longer than {SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode not in {_FOUND, _NOT_FOUND}:
        raise Unknown("pattern_failed", "the pattern could not be tried")
    return process.returncode == _FOUND
