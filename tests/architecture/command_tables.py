"""The reference of commands, rendered from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pudim.cli import main


def commands() -> str:
    """A part for each command: its words, then its arguments and options."""
    return "\n".join(_part(path, command) for path, command in _leaves(main, ("pudim",)))


def _leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from _leaves(inner, (*path, name))


def _part(path: tuple[str, ...], command: click.Command) -> str:
    arguments = [
        one.make_metavar(click.Context(command)) for one in command.params if isinstance(one, click.Argument)
    ]
    words = " ".join((command.help or "").replace("\n\n", "\n").split())
    lines = [f"## {' '.join(path)}", "", f"`{' '.join([*path, *arguments])}`", "", words, ""]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        lines += ["| option | meaning |", "|---|---|", *(_row(command, one) for one in options), ""]
    return "\n".join(lines)


def _row(command: click.Command, option: click.Option) -> str:
    record = option.get_help_record(click.Context(command))
    names, words = record or ("", "")
    return f"| `{names.replace('|', chr(92) + '|')}` | {words.replace('|', chr(92) + '|') or '-'} |"
