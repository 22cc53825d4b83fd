"""What `pudim agent doctor` looks at: each check says what it found and, when it is wrong, what to do."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import aiohttp

from pudim.vocabulary.errors import PudimError
from pudim.wire.handshake import AgentHandshake
from pudim.wire.keys import from_text, public_from_bytes
from pudim.wire.refusals import ClockSkew
from pudim_agent import identity as identities
from pudim_agent.clock import SystemClock
from pudim_agent.config import AgentConfig
from pudim_agent.session import shake_hands
from pudim_agent.stream import AiohttpSocket, tls, websocket_url

_SECONDS = 10.0
_SKEW_SECONDS = 30.0


class Finding(NamedTuple):
    subject: str
    fine: bool
    said: str


async def findings(config: AgentConfig) -> list[Finding]:
    checks: dict[str, Callable[[AgentConfig], Awaitable[str]]] = {
        "identity": _identity,
        "state directory": _state_dir,
        "clock": _clock,
        "collector": _collector,
    }
    return [await _look(subject, check(config)) for subject, check in checks.items()]


async def _look(subject: str, check: Awaitable[str]) -> Finding:
    try:
        return Finding(subject, True, await check)
    except PudimError as error:
        return Finding(subject, False, f"{error.detail} {error.hint}".strip())
    except (OSError, aiohttp.ClientError, asyncio.TimeoutError) as error:
        return Finding(subject, False, f"{type(error).__name__}: {error}")


async def _identity(config: AgentConfig) -> str:
    return f"enrolled as {identities.load(config.state_dir).agent_id}"


async def _state_dir(config: AgentConfig) -> str:
    mode = stat.S_IMODE(config.state_dir.stat().st_mode)
    if mode & 0o022:
        raise PermissionError(f"{config.state_dir} may be written by others (mode {mode:04o}); chmod 700")
    probe = config.state_dir / f".probe.{os.getpid()}"
    probe.write_bytes(b"")
    probe.unlink()
    space = os.statvfs(config.state_dir)
    waiting = sum(one.stat().st_size for one in (config.state_dir / "spool").glob("*.spool"))
    free = space.f_bavail * space.f_frsize
    return f"{waiting / 2**20:.1f} MiB in the spool, {free / 2**30:.1f} GiB free"


async def _clock(config: AgentConfig) -> str:
    """By the Date of any answer, good to a second or two."""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.head(config.url, ssl=tls(config), allow_redirects=False) as response,
    ):
        said = response.headers.get("Date")
    if said is None:
        return "the collector's answer has no date to compare with"
    skew = SystemClock().now().wall_ms / 1000 - parsedate_to_datetime(said).timestamp()
    if abs(skew) > _SKEW_SECONDS:
        raise ClockSkew(f"{skew:+.0f} s from the collector's")
    return f"{skew:+.0f} s from the collector's"


async def _collector(config: AgentConfig) -> str:
    identity = identities.load(config.state_dir)
    key = public_from_bytes(from_text(config.collector_key))
    async with aiohttp.ClientSession() as http:
        socket = await asyncio.wait_for(http.ws_connect(websocket_url(config.url), ssl=tls(config)), _SECONDS)
        try:
            handshake = AgentHandshake(identity.agent_id, identity.key, key)
            await shake_hands(AiohttpSocket(socket), handshake, _SECONDS)
        finally:
            await socket.close()
    return f"{config.url} is the pinned collector and knows this agent"
