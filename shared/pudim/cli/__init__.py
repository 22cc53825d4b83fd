"""The `pudim` command: one entry point whose subcommands come from whatever is installed."""

from __future__ import annotations

from importlib.metadata import entry_points

import click

from pudim import __version__


class _InstalledCommands(click.Group):
    """Subcommands named in the entry-point group `pudim.commands`, loaded only when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = {point.name for point in entry_points(group="pudim.commands")}
        return sorted(found | set(super().list_commands(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for point in entry_points(group="pudim.commands", name=cmd_name):
            command = point.load()
            if isinstance(command, click.Command):
                return command
        return None


@click.group(cls=_InstalledCommands)
@click.version_option(__version__, prog_name="pudim")
def main() -> None:
    """Pudim: monitoring, alerts, deployments and more for your own servers."""
