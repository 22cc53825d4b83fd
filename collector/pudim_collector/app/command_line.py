"""What every command shares: where things are kept, settings, and how it ends with a sentence instead of a traceback."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.settings import Settings, read_settings

Result = TypeVar("Result")
DATA_DIR = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept; PUDIM_DATA_DIR, else .pudim here.",
)


def settings_of(data_dir: Path | None, host: str | None = None, port: int | None = None) -> Settings:
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


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end; a named error is told without a traceback, with what to do about it."""
    import psycopg
    import uvloop

    from pudim_collector.infra.request_ids import NamingFormatter

    lines = logging.StreamHandler()
    lines.setFormatter(NamingFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[lines])
    try:
        return uvloop.run(_ended_by_sigterm(work))
    except PudimError as error:
        raise click.ClickException(_plain(error)) from error
    except psycopg.Error as error:
        raise click.ClickException(f"The database says: {error}") from error
    except (KeyboardInterrupt, asyncio.CancelledError):
        return None


def told(work: Callable[[], Result]) -> Result:
    """What `work` returns; a named error is told without a traceback."""
    try:
        return work()
    except PudimError as error:
        raise click.ClickException(_plain(error)) from error


async def _ended_by_sigterm(work: Coroutine[Any, Any, Any]) -> Any:
    """As Ctrl-C ends it: what was started is stopped, also before anything is served."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _plain(error: PudimError) -> str:
    return f"{error.detail} {error.hint}".strip()
