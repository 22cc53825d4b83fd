"""`pudim admin people`: who has an account, and how somebody gets in again where nobody can help him from inside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from pudim_collector.app.command_line import DATA_DIR, run, settings_of

if TYPE_CHECKING:
    from pudim_collector.app.runtime import Runtime
    from pudim_collector.app.settings import Settings
    from pudim_collector.features.audit.service import Trail


@click.group()
def people() -> None:
    """List people, make an owner, and take lost second factors away."""


@people.command("list")
@DATA_DIR
def list_people(data_dir: Path | None) -> None:
    """List everybody with an account: address, name, second factors, and what he is in which team."""
    for line in run(_listed(settings_of(data_dir))):
        click.echo(line)


@people.command("make-owner")
@DATA_DIR
@click.argument("email")
@click.option("--team", type=click.UUID, help="The team's id; not needed where there is one only.")
def make_owner(data_dir: Path | None, email: str, team: UUID | None) -> None:
    """Make the person of EMAIL an owner of a team, whether he is in it or not."""
    click.echo(f"Owner of {run(_make_owner(settings_of(data_dir), email, team))}: {email}")


@people.command("reset-factors")
@DATA_DIR
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset_factors(data_dir: Path | None, email: str, yes: bool) -> None:
    """Take the app, the passkeys and the recovery codes of EMAIL away, and end all his sessions."""
    if not yes:
        click.confirm(f"Let {email} sign in with a password alone?", abort=True)
    run(_reset(settings_of(data_dir), email))
    click.echo(f"Without a second factor: {email}")


async def _listed(settings: Settings) -> list[str]:
    from pudim_collector.features.members.service import everybody
    from pudim_collector.infra.mail.writing import printable

    lines: list[str] = []
    async with _opened(settings) as (runtime, _):
        for one in await everybody():
            kinds = ", ".join(sorted(await runtime.factors.kinds_of(one.user_id))) or "no second factor"
            place = f"{one.role} of {one.team} ({one.team_id})" if one.team else "in no team"
            said = [one.email, one.name, kinds, place, *(["operator"] if one.operator else [])]
            lines.append("  ".join(printable(text, 128) for text in said))
    return lines


async def _make_owner(settings: Settings, email: str, team_id: UUID | None) -> str:
    """The team's name."""
    from pudim_collector.features.credentials.service import NoSuchAccountError
    from pudim_collector.features.members.service import Members
    from pudim_collector.features.teams.service import Teams

    async with _opened(settings) as (runtime, trail):
        user = await runtime.accounts.user_by_email(email)
        if user is None:
            raise NoSuchAccountError
        team = await Teams.by_id(team_id) if team_id else await Teams.only()
        await Members(runtime.clock, runtime.roles, emit=trail.emit).make_owner(team.id, user.id)
        return team.name


async def _reset(settings: Settings, email: str) -> None:
    from pudim_collector.app.operating import FactorsReset
    from pudim_collector.features.credentials.service import NoSuchAccountError
    from pudim_collector.infra.database import database

    async with _opened(settings) as (runtime, trail):
        user = await runtime.accounts.user_by_email(email)
        if user is None:
            raise NoSuchAccountError
        async with database.transaction():
            await runtime.factors.reset(user.id)
            await runtime.accounts.end_sessions(user.id)
            await runtime.sessions.forget_devices(user.id)
            trail.emit(FactorsReset(user.id))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Runtime, Trail]]:
    """Beside a Pudim that runs, or without. What is told meanwhile is written at the end, as the operator's."""
    from pudim_collector.app.keys import collector_key
    from pudim_collector.app.operating import operator
    from pudim_collector.app.process import migrate_database, shared_database
    from pudim_collector.app.runtime import Runtime
    from pudim_collector.features.audit.service import Trail
    from pudim_collector.infra.database import database
    from pudim_collector.kernel.clock import SystemClock

    clock = SystemClock()
    trail = Trail(clock, actor=operator())
    async with shared_database(settings):
        await migrate_database()
        yield Runtime.assemble(settings, collector_key(settings.data_dir), database, clock), trail
        await trail.settle()
