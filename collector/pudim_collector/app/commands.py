"""`pudim up`, `serve`, `migrate` and `admin`: what an operator types on the collector's machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from pudim_collector.app import (
    key_commands,
    mail_commands,
    people_commands,
    privacy_commands,
    storage_commands,
)
from pudim_collector.app.command_line import DATA_DIR, run, settings_of, told
from pudim_collector.app.settings import Role

_PORT = click.option("--port", type=click.IntRange(1, 65_535), help="PUDIM_PORT, else 8460.")
_HOST = click.option("--host", help="Address to listen on; PUDIM_HOST, else 127.0.0.1.")


@click.command()
@DATA_DIR
@_HOST
@_PORT
@click.option("--browser/--no-browser", default=True, help="Open the page once it is served.")
def up(data_dir: Path | None, host: str | None, port: int | None, browser: bool) -> None:
    """Run everything on this machine: database, collector, and an agent on this host. Ctrl-C stops it all."""
    from pudim_collector.app.up import up as run_up

    run(run_up(settings_of(data_dir, host, port), browser=browser))


@click.command()
@DATA_DIR
@_HOST
@_PORT
@click.option("--role", type=click.Choice([str(role) for role in Role]), help="PUDIM_ROLE, else all.")
def serve(data_dir: Path | None, host: str | None, port: int | None, role: str | None) -> None:
    """Run a collector process on a database; several may share one."""
    from pudim_collector.app.process import serve_forever

    settings = settings_of(data_dir, host, port)
    run(serve_forever(replace(settings, role=Role(role)) if role else settings))


@click.command()
@DATA_DIR
def migrate(data_dir: Path | None) -> None:
    """Bring the database to this version's tables; safe to run again and by several at once."""
    from pudim_collector.app.process import migrate_once

    applied = run(migrate_once(settings_of(data_dir, None, None)))
    for one in applied:
        click.echo(f"{one.app} {one.name}")
    click.echo(f"{len(applied)} applied." if applied else "Nothing to do.")


@click.group()
def admin() -> None:
    """What only the operator of this machine may do."""


@admin.command("setup-link")
@DATA_DIR
@_HOST
@_PORT
def setup_link(data_dir: Path | None, host: str | None, port: int | None) -> None:
    """Print a new one-time link that creates the owner's account, if there is none yet.

    Address and port are those that Pudim is started with; they stand in the link.
    """
    from pudim_collector.app.process import new_setup_link

    link = run(new_setup_link(settings_of(data_dir, host, port)))
    if link is None:
        click.echo("There is an owner already.", err=True)
        sys.exit(1)
    click.echo(link)


@admin.command("reset-link")
@DATA_DIR
@_HOST
@_PORT
@click.argument("email")
def reset_link(data_dir: Path | None, host: str | None, port: int | None, email: str) -> None:
    """Print a link with which the person of EMAIL sets a new password within 30 minutes; a second factor is asked for still.

    For who lost the password where no mail is sent. Pudim may run meanwhile.
    """
    from pudim_collector.app.process import new_reset_link

    click.echo(run(new_reset_link(settings_of(data_dir, host, port), email)))


@admin.command("command-key")
@DATA_DIR
def command_key(data_dir: Path | None) -> None:
    """Print the public key that signs commands to hosts, for the `command_key` of a host's policy."""
    from pudim.wire.keys import public_bytes, to_text
    from pudim_collector.app import keys

    click.echo(to_text(public_bytes(keys.command_key(settings_of(data_dir, None, None).data_dir))))


@admin.command("demo-data")
@DATA_DIR
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

    settings = settings_of(data_dir, None, None)
    if remove:
        removed = run(command.remove(settings))
        click.echo(f"Simulated servers removed: {removed}")
        return
    loaded = run(command.fill(settings, Wish(servers, days, seed), click.echo))
    if loaded is not None:
        click.echo(f"Simulated servers with {days} days of history: {len(loaded.servers)}")


@admin.command("agent-bundle")
@DATA_DIR
@click.argument("bundle", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def agent_bundle(data_dir: Path | None, bundle: Path) -> None:
    """Offer the agent in the file BUNDLE to hosts, signed with this installation's release key. Pudim may run meanwhile."""
    from pudim_collector.app.keys import release_key
    from pudim_collector.features.installing.service import Releases

    where = settings_of(data_dir).data_dir
    releases = Releases(where, release_key(where))
    manifest = told(lambda: releases.add(bundle))
    click.echo(f"Agent {manifest.version} for {', '.join(sorted(manifest.targets))}")
    click.echo(f"Release key {releases.public_key}")
    digest, signature = releases.names()
    click.echo(
        f"To update by a command: version {manifest.version}, manifest {digest}, signature {signature}"
    )


for _command in (*storage_commands.COMMANDS, *key_commands.COMMANDS):
    admin.add_command(_command)
admin.add_command(mail_commands.mail)
admin.add_command(people_commands.people)
admin.add_command(privacy_commands.privacy)
