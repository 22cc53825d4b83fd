"""Restarts one systemd unit that the host's policy names, letter by letter."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from pudim.deadlines import within
from pudim_agent.actions import ActionFailed, NotAllowed, Surroundings, actions
from pudim_agent.text import printable

_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,200}\.(?:service|socket|timer|target|path|mount)")
_PLAIN = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_MOST_OUTPUT = 1 << 14
_PATIENCE = 90.0


@actions.register("restart_unit")
class RestartUnit:
    seconds: ClassVar[float] = _PATIENCE + 10

    @dataclass(frozen=True)
    class Args:
        unit: str = field(metadata={"longest": 255})

    @dataclass(frozen=True)
    class Allowed:
        """`units` are whole names, such as `nginx.service`; nothing in them stands for anything else."""

        units: tuple[str, ...]

    def __init__(self, around: Surroundings) -> None:
        self._systemctl = around.systemctl

    def permit(self, args: Args, allowed: Allowed) -> None:
        if not _UNIT.fullmatch(args.unit) or args.unit not in allowed.units:
            raise NotAllowed("the policy names no such unit")

    async def run(self, args: Args, _allowed: Allowed) -> str:
        try:
            status, said = await _output((self._systemctl, "--no-ask-password", "restart", "--", args.unit))
        except FileNotFoundError as error:
            raise ActionFailed("no_systemctl", "this host has no systemctl") from error
        except asyncio.TimeoutError as error:
            raise ActionFailed("too_slow", f"systemctl did not end within {_PATIENCE:g} s") from error
        if status:
            raise ActionFailed("systemctl_failed", f"systemctl ended with status {status}", said)
        return said or f"{args.unit} restarted"


async def _output(argv: tuple[str, ...]) -> tuple[int, str]:
    """Status and the beginning of what it prints. Raises OSError or asyncio.TimeoutError; its whole group is killed then."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_PLAIN,
        cwd="/",
        start_new_session=True,
    )
    try:
        async with within(_PATIENCE):
            return await _finish(process)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _finish(process: asyncio.subprocess.Process) -> tuple[int, str]:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    said = b""
    while part := await process.stdout.read(1 << 12):
        said += part[: _MOST_OUTPUT - len(said)]
    status = await process.wait()
    return status, "\n".join(printable(line, 1024) for line in said.splitlines() if line)
