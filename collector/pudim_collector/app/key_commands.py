"""`pudim admin secrets` and `keys`: what an operator does with secrets at rest and the keys of this installation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from pudim_collector.app.command_line import DATA_DIR, run, settings_of, told

if TYPE_CHECKING:
    from pudim_collector.app.secrets_report import SecretsOutcome

_JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group()
def secrets() -> None:
    """Secrets at rest: which keys seal them, and how those are replaced. Pudim may run meanwhile."""


@secrets.command()
@DATA_DIR
@_JSON
def status(data_dir: Path | None, as_json: bool) -> None:
    """Count the sealed secrets by key."""
    from pudim_collector.app import secrets_report

    found = _ended(run(secrets_report.status(settings_of(data_dir))))
    click.echo(_document(found) if as_json else secrets_report.said(found))


@secrets.command()
@DATA_DIR
@_JSON
def rotate(data_dir: Path | None, as_json: bool) -> None:
    """Make a new active key. What is sealed already stays under its key until `reencrypt`."""
    from pudim_collector.app import secrets_report

    made = told(lambda: secrets_report.rotate(settings_of(data_dir)))
    click.echo(_document(made) if as_json else f"Active key: {made.key} {made.fingerprint}")


@click.command("rotate-collector-key")
@DATA_DIR
@click.option(
    "--status", "asked", is_flag=True, help="Only say how many servers have the key, or its successor."
)
@click.option("--again", is_flag=True, help="Make another successor in the place of one that waits.")
@click.option(
    "--finish", is_flag=True, help="Go over to the successor; refused while servers do not have it."
)
@click.option("--force", is_flag=True, help="With --finish: do not wait for anybody.")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="Servers that were heard of for the last time before that are not counted.",
)
@_JSON
def rotate_collector_key(
    *, data_dir: Path | None, asked: bool, again: bool, finish: bool, force: bool, days: int, as_json: bool
) -> None:
    """Replace the key that agents pin, in two steps: make its successor, for which it signs, and later go over to that with --finish.

    Agents that are connected hear of the successor within seconds, others when they connect. Restart Pudim after --finish.
    """
    from pudim_collector.app import key_rotation

    if asked + again + finish > 1 or (force and not finish):
        raise click.UsageError("Give one of --status, --again and --finish; --force goes with --finish.")
    settings, recent = settings_of(data_dir), timedelta(days=days)
    if finish:
        click.echo(_ended(run(key_rotation.go_over(settings, recent=recent, force=force))))
        click.echo("Restart Pudim, every process of it: this is its key from then on.", err=True)
        return
    if not asked:
        told(lambda: key_rotation.make_successor(settings, again=again))
    found = _ended(run(key_rotation.outlook(settings, recent)))
    click.echo(_document(found) if as_json else key_rotation.said(found))


@click.command("rotate-release-key")
@DATA_DIR
def rotate_release_key(data_dir: Path | None) -> None:
    """Replace the key that releases of the agent are signed with; the one before signs for it, so that hosts follow.

    A host whose agent is older than this command, or was away for a year, takes no more updates by itself: run its install line.
    """
    from pudim_collector.app import key_rotation

    settings = settings_of(data_dir)
    click.echo(told(lambda: key_rotation.rotate_release_key(settings)))
    click.echo("Restart Pudim; install lines show this key from then on.", err=True)


@secrets.command()
@DATA_DIR
@_JSON
def reencrypt(data_dir: Path | None, as_json: bool) -> None:
    """Seal everything anew that is not under the active key; may be interrupted and begun again.

    Ends with status 1 where a secret does not open.
    """
    from pudim_collector.app import secrets_report

    _work(data_dir, "Sealing anew", secrets_report.reencrypt, as_json=as_json)


@secrets.command()
@DATA_DIR
@_JSON
def verify(data_dir: Path | None, as_json: bool) -> None:
    """Open every secret, and name the rows of those that do not open.

    Ends with status 1 if there are any.
    """
    from pudim_collector.app import secrets_report

    _work(data_dir, "Opening", secrets_report.verify, as_json=as_json)


@secrets.command()
@DATA_DIR
@click.argument("key")
def retire(data_dir: Path | None, key: str) -> None:
    """Forget the older key KEY for ever; refused while a secret is sealed under it."""
    from pudim_collector.app import secrets_report

    settings = settings_of(data_dir)

    async def retired() -> bool:
        await secrets_report.retire(settings, key)
        return True

    _ended(run(retired()))
    click.echo(f"{key} is gone; backups keep their own copy.")


@click.command()
@DATA_DIR
@_JSON
def keys(data_dir: Path | None, as_json: bool) -> None:
    """List this installation's keys: fingerprints, ages and what is wrong with their files, never a secret.

    Ends with status 1 where one cannot be used as it is.
    """
    from pudim_collector.app import keys_report

    found = keys_report.found(settings_of(data_dir))
    click.echo(_document(found) if as_json else keys_report.said(found))
    sys.exit(1 if any(one.fault for one in found) else 0)


@click.command("rotate-command-key")
@DATA_DIR
def rotate_command_key(data_dir: Path | None) -> None:
    """Replace the key that signs commands; the one before signs for it, so that hosts follow. Restart Pudim afterwards.

    A host's policy that names the key with `command_key` has to name the new one.
    """
    from pudim_collector.app import command_keys

    settings = settings_of(data_dir)
    after = told(lambda: command_keys.rotate(settings.data_dir))
    click.echo(after.links[-1].key)
    click.echo("Restart Pudim; commands are signed with this key from then on.", err=True)


def _work(
    data_dir: Path | None,
    doing: str,
    work: Callable[..., Coroutine[Any, Any, SecretsOutcome]],
    *,
    as_json: bool,
) -> None:
    from pudim_collector.app import secrets_report

    settings = settings_of(data_dir)
    number = _ended(run(secrets_report.count(settings))) if sys.stderr.isatty() else 0
    with click.progressbar(length=number, label=doing, file=sys.stderr, hidden=not number) as bar:
        outcome = _ended(run(work(settings, lambda: bar.update(1))))
    if as_json:
        click.echo(_document(outcome))
    else:
        for one in outcome.faults:
            click.echo(f"{one.column} of {one.row}: {one.code}")
        click.echo(
            f"{outcome.secrets:,} secrets, {outcome.rewritten:,} sealed anew, {len(outcome.faults):,} do not open.",
            err=True,
        )
    sys.exit(1 if outcome.faults else 0)


def _ended(outcome: Any) -> Any:
    """Who was interrupted says nothing more."""
    if outcome is None:
        sys.exit(1)
    return outcome


def _document(found: object) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()


COMMANDS = (secrets, keys, rotate_collector_key, rotate_command_key, rotate_release_key)
