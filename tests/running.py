"""Pudim as a newcomer starts it, in processes of its own, for end-to-end tests and benchmarks."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

PATIENCE = 90.0
UNHINDERED = {"PUDIM_RATE_LIMIT_SCALE": "1000"}
"""For benchmarks: requests are counted as ever, and never too many."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class RunningPudim:
    """`pudim up` on a data folder; start it again after `kill` or `stop` and it goes on with its data."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    program: Sequence[str] = ("-m", "pudim.cli", "up", "--no-browser")
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        log = (self.data_dir / "up.log").open("ab")
        self.process = subprocess.Popen(
            [
                *(sys.executable, *self.program),
                *("--data-dir", str(self.data_dir), "--port", str(self.port)),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | self.environment,
            start_new_session=True,
        )
        log.close()
        self._wait_until_ready()
        return self

    @property
    def access(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data_dir / "access.json").read_bytes())
        return found

    @property
    def log(self) -> str:
        return (self.data_dir / "up.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def call(self, path: str, body: object = None, *, token: str | None = None) -> Any:
        """One JSON request to the API as the owner's script."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token or self.access['api_token']}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    def kill(self) -> None:
        """SIGKILL to the collector alone; its database and agent stay."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As Ctrl-C does; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE
        while not self._answers() or not (self.data_dir / "access.json").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"pudim up did not come up:\n{self.log}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
