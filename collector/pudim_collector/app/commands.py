"""`pudim up`, `serve`, `migrate` and `admin`: what an operator types on the collector's machine."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.settings import Role, Settings, read_settings

_DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept; PUDIM_DATA_DIR, else .pudim here.",
)
_PORT = click.option("--port", type=click.IntRange(1, 65_535), help="PUDIM_PORT, else 8460.")
_HOST = click.option("--host", help="Address to listen on; PUDIM_HOST, else 127.0.0.1.")


@click.command()
@_DATA_DIR
@_HOST
@_PORT
@click.option("--browser/--no-browser", default=True, help="Open the page once it is served.")
def up(data_dir: Path | None, host: str | None, port: int | None, browser: bool) -> None:
    """Run everything on this machine: database, collector, and an agent on this host. Ctrl-C stops it all."""
    from pudim_collector.app.up import up as run_up

    _run(run_up(_settings(data_dir, host, port), browser=browser))


@click.command()
@_DATA_DIR
@_HOST
@_PORT
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="PUDIM_ROLE, else all.")
def serve(data_dir: Path | None, host: str | None, port: int | None, role: str | None) -> None:
    """Run a collector process on a database; several may share one."""
    from pudim_collector.app.process import serve_forever

    settings = _settings(data_dir, host, port)
    _run(serve_forever(replace(settings, role=Role(role)) if role else settings))


@click.command()
@_DATA_DIR
def migrate(data_dir: Path | None) -> None:
    """Bring the database to this version's tables; safe to run again and by several at once."""
    from pudim_collector.app.process import migrate_once

    applied = _run(migrate_once(_settings(data_dir, None, None)))
    for one in applied:
        click.echo(f"{one.app} {one.name}")
    click.echo(f"{len(applied)} applied." if applied else "Nothing to do.")


@click.group()
def admin() -> None:
    """What only the operator of this machine may do."""


@admin.command("setup-link")
@_DATA_DIR
@_HOST
@_PORT
def setup_link(data_dir: Path | None, host: str | None, port: int | None) -> None:
    """Print a new one-time link that creates the owner's account, if there is none yet.

    Address and port are those that Pudim is started with; they stand in the link.
    """
    from pudim_collector.app.process import new_setup_link

    link = _run(new_setup_link(_settings(data_dir, host, port)))
    if link is None:
        click.echo("There is an owner already.", err=True)
        sys.exit(1)
    click.echo(link)


@admin.command("demo-data")
@_DATA_DIR
@click.option("--servers", type=click.IntRange(1, 100), default=5, show_default=True)
@click.option(
    "--days", type=click.IntRange(1, 730), default=30, show_default=True, help="Of history, until now."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Another one, other values."
)
@click.option("--remove", is_flag=True, help="Take all simulated servers away instead.")
def demo_data(data_dir: Path | None, servers: int, days: int, seed: int, remove: bool) -> None:
    """Fill this Pudim, running or not, with simulated servers that have a past."""
    from pudim_collector.app.demo import command
    from pudim_collector.app.demo.loader import Wish

    settings = _settings(data_dir, None, None)
    if remove:
        removed = _run(command.remove(settings))
        click.echo(f"{removed} simulated servers removed.")
        return
    loaded = _run(command.fill(settings, Wish(servers, days, seed), click.echo))
    if loaded is not None:
        click.echo(f"{len(loaded.servers)} simulated servers with {days} days of history.")


def _settings(data_dir: Path | None, host: str | None, port: int | None) -> Settings:
    try:
        settings = read_settings()
    except PudimError as error:
        raise click.ClickException(_plain(error)) from error
    return replace(
        settings,
        data_dir=(data_dir or settings.data_dir).resolve(),
        host=host or settings.host,
        port=port or settings.port,
    )


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; a named error is told without a traceback, with what to do about it."""
    import psycopg
    import uvloop

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return uvloop.run(_ended_by_sigterm(work))
    except PudimError as error:
        raise click.ClickException(_plain(error)) from error
    except psycopg.Error as error:
        raise click.ClickException(f"The database says: {error}") from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        return None


async def _ended_by_sigterm(work: Coroutine[Any, Any, Any]) -> Any:
    """As Ctrl-C ends it: what was started is stopped, also before anything is served."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _plain(error: PudimError) -> str:
    return f"{error.detail} {error.hint}".strip()
