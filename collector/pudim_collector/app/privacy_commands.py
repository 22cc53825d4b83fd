"""`pudim admin privacy`: answer what a person may ask for, his data or to be forgotten, where he cannot do it himself."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pudim_collector.app.command_line import DATA_DIR, run, settings_of

if TYPE_CHECKING:
    from pudim_collector.app.settings import Settings
    from pudim_collector.features.privacy.service import Privacy


@click.group()
def privacy() -> None:
    """What is held about a person: take it along for him, or delete his account."""


@privacy.command()
@DATA_DIR
@click.argument("email")
@click.option(
    "--to",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="A new file, which only its owner may read.",
)
def export(data_dir: Path | None, email: str, path: Path) -> None:
    """Write all that is held about the person of EMAIL into a ZIP. That it was taken stands in the audit log."""
    run(_export(settings_of(data_dir), email, path))
    click.echo(f"Written: {path}")


@privacy.command()
@DATA_DIR
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(data_dir: Path | None, email: str, yes: bool) -> None:
    """Delete the account of EMAIL for good. What was done with it stays, under a pseudonym."""
    if not yes:
        click.confirm(f"Delete the account of {email}? Nothing brings it back.", abort=True)
    click.echo(f"From now on: {run(_delete(settings_of(data_dir), email))}")


async def _export(settings: Settings, email: str, path: Path) -> None:
    async with _opened(settings) as held:
        person = await held.person_called(email)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise click.ClickException(f"{path} cannot be made: {error.strerror}") from error
        with os.fdopen(descriptor, "wb") as file:
            async for piece in await held.export(person):
                file.write(piece)


async def _delete(settings: Settings, email: str) -> str:
    """The pseudonym that is left."""
    async with _opened(settings) as held:
        person = await held.person_called(email)
        await held.delete(person, email, last_operator_may=True)
        return person.pseudonym


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Privacy]:
    """Beside a Pudim that runs, or without. What is told meanwhile is written at the end."""
    from pudim_collector.app.features import KEPT, PERSONAL
    from pudim_collector.app.keys import collector_key
    from pudim_collector.app.process import migrate_database, shared_database
    from pudim_collector.app.runtime import Runtime
    from pudim_collector.features.audit.service import Trail
    from pudim_collector.features.privacy.service import Privacy
    from pudim_collector.infra.database import database
    from pudim_collector.kernel.clock import SystemClock

    clock = SystemClock()
    trail = Trail(clock, actor=("operator", "operator"))
    async with shared_database(settings):
        await migrate_database()
        runtime = Runtime.assemble(settings, collector_key(settings.data_dir), database, clock)
        yield Privacy(PERSONAL, KEPT, clock, runtime.mailer, emit=trail.emit)
        await trail.settle()
