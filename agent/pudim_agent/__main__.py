"""The agent's own process, without the command line's libraries: python -m pudim_agent --config FILE."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from pudim.vocabulary.errors import PudimError
from pudim_agent import frugality

_USAGE = "usage: python -m pudim_agent [--config FILE] [--policy FILE] [--with-parent]"
_PATHS = ("--config", "--policy")
_WITH_PARENT = "--with-parent"


def main(arguments: list[str]) -> int:
    """The exit status: 0 after a signal, 1 when the agent cannot start, 2 when it is called wrongly."""
    with_parent = _WITH_PARENT in arguments
    rest = [word for word in arguments if word != _WITH_PARENT]
    paths = {name: Path(path) for name, path in zip(rest[::2], rest[1::2], strict=False)}
    if len(rest) != 2 * len(paths) or not paths.keys() <= set(_PATHS):
        print(_USAGE, file=sys.stderr)  # noqa: T201
        return 2
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    frugality.tune_malloc()
    try:
        _run(paths.get("--config"), paths.get("--policy"), with_parent=with_parent)
    except PudimError as error:
        print(f"{error.code}: {error.detail}\n{error.hint}".strip(), file=sys.stderr)  # noqa: T201 - for a person, who needs no traceback
        return 1
    return 0


def _run(config: Path | None, policy: Path | None, *, with_parent: bool) -> None:
    from pudim_agent.config import DEFAULT_CONFIG, load
    from pudim_agent.loop import run
    from pudim_agent.policy import DEFAULT_POLICY

    loaded = load(config or DEFAULT_CONFIG)
    asyncio.run(run(loaded, with_parent=with_parent, policy=policy or DEFAULT_POLICY))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
