"""Hosts to install on: a folder that stands for a machine's root, and what an init system does for a service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.running import RunningPudim

PATIENCE = 60.0
OLDEST, NEWEST = 10, 13


def python_named(version: str) -> Path | None:
    """An interpreter of that version on this machine, whichever of the usual ways it was installed."""
    shims = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*sorted(shims.glob(f"{version}.*/bin/python{version}")), *_on_path(version)]
    for one in found:
        said = subprocess.run([one, "-c", "import ssl, zlib"], stderr=subprocess.DEVNULL, check=False)
        if said.returncode == 0:
            return one
    return None


def _on_path(version: str) -> list[Path]:
    named = shutil.which(f"python{version}")
    own = [Path(sys.executable)] if sys.version_info[:2] == tuple(map(int, version.split("."))) else []
    return [*([Path(named)] if named else []), *own]


PYTHONS = {
    version: found
    for version in (f"3.{minor}" for minor in range(OLDEST, NEWEST + 1))
    if (found := python_named(version)) is not None
}


@dataclass
class Host:
    """`root` stands for `/`; `script` is the install script as it was downloaded."""

    root: Path
    script: Path
    python: Path = field(default_factory=lambda: Path(sys.executable))

    @property
    def opt(self) -> Path:
        return self.root / "opt/pudim-agent"

    @property
    def state(self) -> Path:
        return self.root / "var/lib/pudim-agent"

    @property
    def current(self) -> str:
        return str((self.opt / "current").readlink())

    def install(self, *words: str, token: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", self.script, *words, "--root", self.root],
            env=os.environ | {"PUDIM_PYTHON": str(self.python), "PUDIM_ENROLMENT_TOKEN": token},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def pudim(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The `pudim` command that was installed."""
        return subprocess.run(
            [self.root / "usr/local/bin/pudim", *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def launch(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-I", self.opt / "launch", *words, "--root", self.root],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def status(self) -> dict[str, str]:
        try:
            lines = (self.state / "status").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return dict(line.partition(" ")[::2] for line in lines)

    def files(self) -> list[str]:
        return sorted(str(one.relative_to(self.root)) for one in self.root.rglob("*"))


class Service:
    """Keeps `launch run` running, as an init system does, until the end of the `with`."""

    def __init__(self, host: Host, patience: float = 8.0) -> None:
        self._host, self._patience = host, patience
        self._process: subprocess.Popen[bytes] | None = None
        self.log = host.root.with_name(f"{host.root.name}.log")

    def __enter__(self) -> Self:
        command: Sequence[str | Path] = [
            *(self._host.python, "-I", self._host.opt / "launch", "run"),
            *("--root", self._host.root, "--patience", str(self._patience)),
        ]
        keeper = (
            "import signal, subprocess, sys, time\n"
            "ended = []\n"
            "child = None\n"
            "def end(*_):\n"
            "    ended.append(1)\n"
            "    child and child.terminate()\n"
            "signal.signal(signal.SIGTERM, end)\n"
            "while not ended:\n"
            "    child = subprocess.Popen(sys.argv[1:])\n"
            "    child.wait()\n"
            "    time.sleep(0.2)\n"
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-c", keeper, *command], stderr=log, stdout=log)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text(errors="replace")[-4000:]
            time.sleep(0.1)


def manifest_of(signed: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(signed[64:])
    return found


def invitation(pudim: RunningPudim, name: str) -> tuple[list[str], str]:
    """The words after `sh -s --` of the line that the collector makes, and its token."""
    command = pudim.call("/api/v2/enrolment-tokens", {"name": name})["command"].split()
    words = command[command.index("--") + 1 :]
    at = words.index("--token")
    return [*words[:at], *words[at + 2 :]], words[at + 1]


def server(pudim: RunningPudim, name: str) -> dict[str, Any]:
    (found,) = [one for one in pudim.call("/api/v2/servers")["items"] if one["name"] == name]
    return dict(found)
