"""The agent's own process, without the command line's libraries: python -m pudim_agent --config FILE."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from pudim.vocabulary.errors import PudimError
from pudim_agent import loop
from pudim_agent.config import DEFAULT_CONFIG, load


def main(arguments: list[str]) -> int:
    """The exit status: 0 after a signal, 1 when the agent cannot start, 2 when it is called wrongly."""
    match arguments:
        case []:
            path = DEFAULT_CONFIG
        case ["--config", text]:
            path = Path(text)
        case _:
            print("usage: python -m pudim_agent [--config FILE]", file=sys.stderr)  # noqa: T201
            return 2
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.INFO)
    try:
        asyncio.run(loop.run(load(path)))
    except PudimError as error:
        logging.exception("%s: %s%s", error.code, error.detail, f"\n{error.hint}" if error.hint else "")  # noqa: LOG015
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
