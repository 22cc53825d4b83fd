"""The agent that `pudim up` runs on this host: enrolled like any other, kept running, ended with the collector."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import public_bytes, to_text
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import childrens_environment

log = logging.getLogger(__name__)

_STOP_PATIENCE = 10.0


class EnrolmentFailed(PudimError):
    """The agent on this host could not be enrolled."""

    code = "enrolment_failed"


class AgentEnded(PudimError):
    """The agent on this host ended by itself."""

    code = "agent_ended"


class LocalAgent:
    """`run` is its loop."""

    def __init__(self, runtime: Runtime, state_dir: Path) -> None:
        self._runtime, self._state_dir = runtime, state_dir

    @staticmethod
    def installed() -> bool:
        return find_spec("pudim_agent") is not None

    async def run(self) -> None:
        if not (self._state_dir / "agent.toml").exists():
            await self._enrol()
        process = await asyncio.create_subprocess_exec(
            *_python("run", {"state-dir": str(self._state_dir)}),
            "--with-parent",  # its input is a pipe of ours, which ends with us, however we end
            stdin=asyncio.subprocess.PIPE,
            env=childrens_environment(),
            start_new_session=True,
        )
        try:
            raise AgentEnded(f"exit status {await process.wait()}")
        finally:
            if process.returncode is None:
                process.terminate()
                await _end(process)

    async def _enrol(self) -> None:
        runtime = self._runtime
        token = await runtime.servers.create_token(None)
        process = await asyncio.create_subprocess_exec(
            *_python(
                "enrol",
                {
                    "url": runtime.settings.local_url,
                    "token-file": "-",  # who lists processes or their environment sees none
                    "collector-key": to_text(public_bytes(runtime.key)),
                    "state-dir": str(self._state_dir),
                },
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=childrens_environment(),
        )
        said, _ = await process.communicate(token.token.encode())
        if process.returncode:
            raise EnrolmentFailed(said.decode(errors="replace").strip())


def _python(command: str, options: Mapping[str, str]) -> list[str]:
    """The `pudim agent` command as argv of this Python."""
    flat = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [sys.executable, "-m", "pudim.cli", "agent", command, *flat]


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_STOP_PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
