"""Takes a newer release of the agent: the installer's program fetches and checks it, and the next start puts it in place.

The agent can write nothing that it runs. It hands over a staged update and ends; the service's next start, as root,
checks the signature by the pinned release key again, switches, and takes the update back if it does not stream.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from hashlib import sha256
from pathlib import Path

from pudim.deadlines import within
from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import to_text
from pudim_agent.config import AgentConfig
from pudim_agent.text import printable

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_SECONDS = 240.0
_MOST_SAID = 4096
_FAREWELL_SECONDS = 3.0


class NotInstalled(PudimError):
    """This agent was not installed so that it could replace itself."""

    code = "not_installed"
    hint = "Update it the way it was installed, or run the install line of the page 'Add server'."


class UpdateRefused(PudimError):
    """The update cannot be taken."""

    code = "update_refused"


async def update(version: str, manifest: bytes, signature: bytes, config: AgentConfig) -> str:
    """Stage the release that `signature` names, and end soon so that it is put in place; says what is going on.

    `manifest` is the signed text itself or its SHA-256 in hexadecimal. Raises NotInstalled or UpdateRefused.
    """
    program = installer(config)
    digest = manifest.decode() if _DIGEST.fullmatch(manifest) else sha256(manifest).hexdigest()
    options = [
        *("--root", str(program.parents[2]), "--url", config.url, f"--version={version}"),
        *("--digest", digest, f"--signature={to_text(signature)}"),
        *(["--ca-file", str(config.ca_file)] if config.ca_file else []),
        *(["--insecure"] if config.insecure else []),
    ]
    await _stage(program, options)
    asyncio.get_running_loop().call_later(_FAREWELL_SECONDS, os.kill, os.getpid(), signal.SIGTERM)
    return (
        f"{version} is staged; the agent starts anew with it, and with this one again if it does not stream"
    )


def installer(config: AgentConfig, prefix: Path | None = None) -> Path:
    """The installer's program above this agent's own release. Raises NotInstalled."""
    opt = (prefix or Path(sys.prefix)).parent
    program = opt / "launch"
    own_state = program.parents[2] / "var/lib/pudim-agent"
    if (
        not (program / "__main__.py").is_file()
        or not (opt / "current").is_symlink()
        or config.state_dir != own_state
    ):
        raise NotInstalled
    if not (program.parents[2] / "etc/pudim/release.pub").is_file():
        raise NotInstalled("a package installed this agent, without a release key to check updates by")
    return program


async def _stage(program: Path, options: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(program), "stage", *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with within(_SECONDS):
            said = await _read(process)
    except asyncio.TimeoutError as error:
        raise UpdateRefused(f"fetching it took longer than {_SECONDS:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise UpdateRefused(
            printable(said).removeprefix("pudim-agent: ") or "the installer ended without a word"
        )


async def _read(process: asyncio.subprocess.Process) -> bytes:
    """What it says, and not without end."""
    assert process.stderr is not None  # noqa: S101 - it was asked for
    said = b""
    while chunk := await process.stderr.read(_MOST_SAID):
        said = (said + chunk)[:_MOST_SAID]
    await process.wait()
    return said
