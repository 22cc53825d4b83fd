"""`pudim admin storage`, `backup`, `restore` and `verify`: what an operator asks of the store."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pudim_collector.app.command_line import DATA_DIR, run, settings_of, told

_FILE = click.Path(path_type=Path)
_PASSPHRASE = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="The keys in the backup are under the passphrase in this file's first line; - is standard input.",
)


@click.command()
@DATA_DIR
@click.option("--json", "as_json", is_flag=True, help="As /api/v2/storage says it.")
def storage(data_dir: Path | None, as_json: bool) -> None:
    """Tell what the store holds, how it grows and how far back it will reach."""
    from pudim_collector.app import storage_report

    view = run(storage_report.measured(settings_of(data_dir)))
    click.echo(storage_report.document(view) if as_json else storage_report.table(view))


@click.command()
@DATA_DIR
@click.argument("target", type=_FILE)
@click.option("--quiet", is_flag=True, help="Say nothing but the backup's name.")
@_PASSPHRASE
def backup(data_dir: Path | None, target: Path, quiet: bool, passphrase_file: str | None) -> None:
    """Write everything into the new file TARGET, or into a file in the folder TARGET. Pudim may run meanwhile.

    The file is private (mode 0600): it holds the accounts and, unless there is a passphrase, all keys.
    """
    from pudim_collector.app.backup.operations import back_up

    passphrase = _passphrase(passphrase_file)
    made = run(back_up(settings_of(data_dir), target.resolve(), _quiet if quiet else _report, passphrase))
    if made is None:
        sys.exit(1)
    path, manifest = made
    click.echo(path)
    if not quiet:
        size = path.stat().st_size
        click.echo(
            f"{manifest.rows:,} rows in {len(manifest.tables)} tables, {size:,} bytes, checked.", err=True
        )


@click.command()
@DATA_DIR
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--check", is_flag=True, help="Only check that the backup is whole.")
@_PASSPHRASE
def restore(data_dir: Path | None, source: Path, check: bool, passphrase_file: str | None) -> None:
    """Make a Pudim out of the backup SOURCE, in a new data folder or an empty database."""
    from pudim_collector.app.backup import operations

    if check:
        manifest = run(operations.check(source))
        click.echo(
            f"Whole: {manifest.rows:,} rows in {len(manifest.tables)} tables, taken at {manifest.taken_at}."
        )
        return
    passphrase = _passphrase(passphrase_file)
    manifest = run(operations.restore(settings_of(data_dir), source.resolve(), _report, passphrase))
    if manifest is None:
        sys.exit(1)
    click.echo(
        f"Restored {manifest.rows:,} rows, as of {manifest.taken_at:%Y-%m-%d %H:%M} UTC. Start it with: pudim up"
    )


@click.command()
@DATA_DIR
@click.option(
    "--days",
    type=click.IntRange(min=1),
    help="Only the last so many; all that raw frames are kept for if left out.",
)
@click.option("--repair", is_flag=True, help="Have what differs rolled up again, within minutes.")
@click.option("--quiet", is_flag=True, help="Say what differs, and nothing else.")
def verify(data_dir: Path | None, days: int | None, repair: bool, quiet: bool) -> None:
    """Compute rollups from raw frames again and compare them with what is stored. Pudim may run meanwhile.

    Ends with status 1 where anything differs.
    """
    from pudim_collector.app import verification

    report = _quiet if quiet else _report
    outcome = run(
        verification.verify(settings_of(data_dir), days, repair=repair, say=click.echo, report=report)
    )
    if outcome is None:
        sys.exit(1)
    report(
        f"{outcome.units:,} hours of sources with {outcome.frames:,} frames: {len(outcome.findings)} differences"
        f", {outcome.waiting} still to be rolled up, {outcome.repaired} to be repaired."
    )
    sys.exit(1 if outcome.findings else 0)


def _report(words: str) -> None:
    click.echo(words, err=True)


def _quiet(_: str) -> None:
    """Said to nobody."""


def _passphrase(source: str | None) -> bytes | None:
    from pudim_collector.app.backup.locking import read_passphrase

    return None if source is None else told(lambda: read_passphrase(source))


COMMANDS = (storage, backup, restore, verify)
