"""`pudim up`: everything on this machine, from nothing to a page with live charts, in one process tree."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from pathlib import Path

import click
import msgspec
import uvicorn

from pudim_collector.app.local_agent import LocalAgent
from pudim_collector.app.process import collector, serve
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import Settings

ACCESS_FILE = "access.json"


class Access(msgspec.Struct):
    """What a script needs to use this Pudim. `setup_url` is null once there is an owner."""

    url: str
    setup_url: str | None
    api_token: str


async def up(settings: Settings, *, browser: bool) -> None:
    earlier = take_access(settings.data_dir / ACCESS_FILE)
    async with collector(settings) as (runtime, server):
        access = await _access(runtime, earlier)
        if LocalAgent.installed():
            agent = LocalAgent(runtime, settings.data_dir / "agent")
            runtime.supervisor.start("agent on this host", agent.run)
        runtime.supervisor.start("welcome", lambda: _welcome(runtime, server, access, browser=browser))
        await serve(server)
        click.echo("Stopping; everything is kept.")


async def _access(runtime: Runtime, earlier: Access | None) -> Access:
    """An earlier start's token is kept while it works, so that scripts that hold it go on."""
    token = await runtime.tokens.local_access_token(earlier.api_token if earlier else None)
    setup = await runtime.accounts.ensure_setup_link()
    url = runtime.settings.url
    return Access(url, None if setup is None else f"{url}{setup}", token)


async def _welcome(runtime: Runtime, server: uvicorn.Server, access: Access, *, browser: bool) -> None:
    """Once the page is served: the file that scripts wait for, and the words that a person reads."""
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.02)
    write_access(runtime.settings.data_dir / ACCESS_FILE, access)
    page = access.setup_url or access.url
    click.echo(f"Pudim runs at {access.url}")
    if access.setup_url:
        click.echo(f"Create the owner's account (link works once): {access.setup_url}")
    click.echo("Ctrl-C stops it; start it again and it goes on with its data.")
    if browser and (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"
    ):
        webbrowser.open(page)


def write_access(path: Path, access: Access) -> None:
    """Whole or not at all, and for this user only."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(access)) + b"\n")
    draft.rename(path)


def take_access(path: Path) -> Access | None:
    """An earlier start's; the file is gone until the page is served, so that its being there means something."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Access)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        found = None
    path.unlink(missing_ok=True)
    return found
