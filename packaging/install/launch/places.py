"""Where everything of the agent lies on a host; below another root in tests and images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

USER = "pudim-agent"
UNIT = "pudim-agent.service"


class Places(NamedTuple):
    root: Path

    @property
    def opt(self) -> Path:
        """Releases, and which of them is on; only root may write here."""
        return self.root / "opt/pudim-agent"

    @property
    def current(self) -> Path:
        return self.opt / "current"

    @property
    def launch(self) -> Path:
        return self.opt / "launch"

    @property
    def trial(self) -> Path:
        return self.opt / "trial.json"

    @property
    def failed(self) -> Path:
        return self.opt / "failed.json"

    @property
    def etc(self) -> Path:
        return self.root / "etc/pudim"

    @property
    def config(self) -> Path:
        return self.etc / "agent.toml"

    @property
    def release_key(self) -> Path:
        return self.etc / "release.pub"

    @property
    def state(self) -> Path:
        """The agent's own; nothing in it is believed by root without a signature."""
        return self.root / "var/lib/pudim-agent"

    @property
    def staged(self) -> Path:
        return self.state / "update"

    @property
    def verdict(self) -> Path:
        return self.state / "verdict"

    @property
    def status(self) -> Path:
        return self.state / "status"

    @property
    def unit(self) -> Path:
        return self.root / "etc/systemd/system" / UNIT

    @property
    def command(self) -> Path:
        return self.root / "usr/local/bin/pudim"


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Either the old file or the whole new one, whatever happens meanwhile."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(str(fresh), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        os.write(handle, content)
        os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)
    fresh.replace(path)
