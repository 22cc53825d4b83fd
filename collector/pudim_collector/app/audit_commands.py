"""`pudim audit`: the audit log for who operates this machine, read from the database itself, Pudim running or not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from pudim_collector.app.command_line import DATA_DIR, run, settings_of

if TYPE_CHECKING:
    from pudim_collector.app.settings import Settings
    from pudim_collector.features.audit.rules import Linked, Search
    from pudim_collector.features.audit.service import AuditLog

_TEAM = click.option("--team", type=click.UUID, help="Whose log; the only team's if there is one, by its id.")
_INSTALLATION = click.option(
    "--installation", is_flag=True, help="The installation's own log instead of a team's."
)
_PAUSE = 1.0
_BROKEN = 3


@click.group()
def audit() -> None:
    """Who did what: follow, search, export and verify the audit log."""


@audit.command()
@DATA_DIR
@_TEAM
@_INSTALLATION
@click.option(
    "-n", "--lines", type=click.IntRange(0, 1_000), default=20, show_default=True, help="The newest."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on. Ctrl-C ends it.")
def tail(data_dir: Path | None, team: UUID | None, installation: bool, lines: int, follow: bool) -> None:
    """Print the newest entries, the oldest of them first."""
    run(_tail(settings_of(data_dir), team, installation, lines, follow=follow))


@audit.command()
@DATA_DIR
@_TEAM
@_INSTALLATION
@click.argument("words", nargs=-1)
@click.option("--actor", default="", help="Who did it: an id, or the whole name.")
@click.option("--action", default="", help="Such as server.changed.")
@click.option("--target", default="", help="What it was done to: an id, or the whole name.")
@click.option("--result", type=click.Choice(["done", "refused", "failed"]), help="How it ended.")
@click.option("--address", default="", help="Where it came from.")
@click.option("--since", default="", help="The first day or instant, in UTC.")
@click.option("--until", default="", help="The first day or instant that is not meant any more.")
@click.option("-n", "--lines", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most.")
def search(
    data_dir: Path | None,
    team: UUID | None,
    installation: bool,
    words: tuple[str, ...],
    lines: int,
    **asked: Any,
) -> None:
    """Print entries that have words which begin with all WORDS, the newest first."""
    run(_search(settings_of(data_dir), team, installation, {"q": " ".join(words), **asked}, lines))


@audit.command()
@DATA_DIR
@_TEAM
@_INSTALLATION
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="jsonl", show_default=True)
@click.option("--since", default="", help="The first day or instant, in UTC.")
@click.option("--until", default="", help="The first day or instant that is not meant any more.")
def export(data_dir: Path | None, team: UUID | None, installation: bool, form: str, **asked: Any) -> None:
    """Write all entries to the standard output, the oldest first. That they were exported is an entry."""
    run(_export(settings_of(data_dir), team, installation, form, asked))


@audit.command()
@DATA_DIR
def verify(data_dir: Path | None) -> None:
    """Compute every hash of every chain again, and name the first entry of each that does not hold."""
    if not run(_verify(settings_of(data_dir))):
        sys.exit(_BROKEN)


async def _tail(
    settings: Settings, team: UUID | None, installation: bool, lines: int, *, follow: bool
) -> None:
    async with _opened(settings, team, installation) as (log, chain):
        from pudim_collector.features.audit import queries

        found = list(reversed((await log.page(chain, _everything(), None, lines))[:lines]))
        _print(found)
        head = await queries.head(chain)
        last = found[-1].sequence if found else head.sequence if head else 0
        while follow:
            await asyncio.sleep(_PAUSE)
            async for one in queries.all_after(chain, last):
                _print([one])
                last = one.sequence


async def _search(
    settings: Settings, team: UUID | None, installation: bool, asked: dict[str, Any], lines: int
) -> None:
    from pudim_collector.features.audit.schemas import search_of

    wanted = search_of(**asked)
    async with _opened(settings, team, installation) as (log, chain):
        _print((await log.page(chain, wanted, None, lines))[:lines])


async def _export(
    settings: Settings, team: UUID | None, installation: bool, form: str, asked: dict[str, Any]
) -> None:
    from pudim_collector.features.audit.schemas import search_of

    wanted = search_of(**asked)
    async with _opened(settings, team, installation) as (log, chain):
        async for piece in await log.export(chain, wanted, form):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


async def _verify(settings: Settings) -> bool:
    """Whether every chain holds."""
    holds = True
    async with _opened(settings, None, installation=True) as (log, _):
        for one in await log.verify_all():
            anchored = f", {one.anchored:,} removed before" if one.anchored else ""
            erased = f", {one.erased:,} without what was erased of people" if one.erased else ""
            click.echo(f"{_called(one.chain)}: {one.entries:,} entries hold{anchored}{erased}")
            if one.broken is not None:
                holds = False
                click.echo(f"  entry {one.broken.sequence} does not: {one.broken.why}", err=True)
    return holds


@asynccontextmanager
async def _opened(
    settings: Settings, team: UUID | None, installation: bool
) -> AsyncIterator[tuple[AuditLog, UUID]]:
    """Once: the log and the chain that is meant. What is told meanwhile is written at the end."""
    from pudim_collector.app.operating import operator
    from pudim_collector.app.process import shared_database
    from pudim_collector.features.audit.service import AuditLog, Trail
    from pudim_collector.kernel.clock import SystemClock

    clock = SystemClock()
    trail = Trail(clock, actor=operator())
    async with shared_database(settings):
        log = AuditLog(clock, trail.emit)
        yield log, await log.chain_called(team, installation=installation)
        await trail.settle()


def _everything() -> Search:
    from pudim_collector.features.audit.rules import Search

    return Search()


def _print(found: list[Linked]) -> None:
    """A line each; hostile characters were taken out as they were written."""
    from pudim_collector.features.audit import rules

    for one in found:
        entry = one.entry
        target = (
            f" {entry.target_kind} {entry.target_name or entry.target_id or ''}" if entry.target_kind else ""
        )
        where = f" from {entry.address}" if entry.address else ""
        details = "; ".join(_changed(one) for one in rules.differences(entry.before, entry.after))
        said = (
            f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.result:7} {entry.actor_name} {entry.action}{target}{where}"
        )
        click.echo(f"{said}  {details}".rstrip())


def _changed(one: Any) -> str:
    return f"{one.field}: {one.after}" if one.before is None else f"{one.field}: {one.before} -> {one.after}"


def _called(chain: UUID) -> str:
    return f"team {chain}" if chain.int else "the installation"
