"""`pudim admin mail`: whether mail can be sent, what waits, and what was given up."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

import click

from pudim_collector.app.command_line import DATA_DIR, run, settings_of


@click.group()
def mail() -> None:
    """Test the mail server, and look after mails that it did not take."""


@mail.command("test")
@DATA_DIR
@click.argument("address")
def send_test(data_dir: Path | None, address: str) -> None:
    """Send a test mail to ADDRESS now, and say what the mail server answers."""
    from pudim_collector.app.mail_report import sent_test

    run(sent_test(settings_of(data_dir), address))
    click.echo(f"The mail server took it for {address}.")


@mail.command("list")
@DATA_DIR
def list_mails(data_dir: Path | None) -> None:
    """List mails that were given up, and those that wait."""
    from pudim_collector.app.mail_report import listed, table

    click.echo(table(run(listed(settings_of(data_dir)))))


@mail.command()
@DATA_DIR
@click.argument("mail_id", type=click.UUID, required=False)
@click.option("--all", "every", is_flag=True, help="Every mail that was given up.")
def retry(data_dir: Path | None, mail_id: UUID | None, every: bool) -> None:
    """Let the given-up mail MAIL_ID be tried again, or all of them."""
    from pudim_collector.app.mail_report import revived

    if every == (mail_id is not None):
        raise click.UsageError("Name a mail, or say --all.")
    found = run(revived(settings_of(data_dir), mail_id))
    click.echo(f"To be tried again: {found}")
    if not found and mail_id is not None:
        sys.exit(1)


@mail.command()
@DATA_DIR
@click.argument("mail_id", type=click.UUID)
def discard(data_dir: Path | None, mail_id: UUID) -> None:
    """Throw the mail MAIL_ID away, whether it waits or was given up."""
    from pudim_collector.app.mail_report import discarded

    if not run(discarded(settings_of(data_dir), mail_id)):
        click.echo("There is no such mail.", err=True)
        sys.exit(1)
