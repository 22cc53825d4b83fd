"""Who is logged in, from the host's utmp or, where that was given up, from systemd's sessions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, read, samplers, series

_SERIES = (series("system.user.count"), series("system.user.session.count"))
_LOOK_SECONDS = 30.0
_MOST = 1024  # sessions
_USER_PROCESS = 7
# utmp(5): times are of 4 bytes in each record where a 64-bit machine also runs 32-bit programs.
_RECORD = 384 if os.uname().machine not in ("aarch64", "riscv64", "loongarch64") else 400
_USER = slice(44, 76)


@samplers.register("users")
class Users:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._due = float("-inf")
        self._users: list[bytes] | None = None

    def sample(self, tick: Tick) -> Iterable[Reading]:
        if tick.monotonic >= self._due:
            self._due = tick.monotonic + _LOOK_SECONDS
            self._users = self._look()
        if self._users is not None:
            yield Reading(_SERIES, [float(len(set(self._users))), float(len(self._users))])

    def _look(self) -> list[bytes] | None:
        """A user for each session; None where nobody keeps count."""
        try:
            return list(self._utmp(read(f"{self._host.run}/utmp")))
        except OSError:
            pass
        try:
            return list(self._sessions(f"{self._host.run}/systemd/sessions"))
        except OSError:
            return None

    def _utmp(self, text: bytes) -> Iterable[bytes]:
        """Entries of processes that are gone were left by a crash."""
        for start in range(0, min(len(text), _MOST * _RECORD) - _RECORD + 1, _RECORD):
            record = text[start : start + _RECORD]
            kind, process = (
                int.from_bytes(record[at : at + size], sys.byteorder) for at, size in ((0, 2), (4, 4))
            )
            if kind == _USER_PROCESS and os.path.exists(f"{self._host.proc}/{process}"):  # noqa: PTH110
                yield record[_USER].rstrip(b"\0")

    def _sessions(self, folder: str) -> Iterable[bytes]:
        """Files of lines such as `USER=anna` and `CLASS=user`; other classes are greeters and managers."""
        names = [name for name in os.listdir(folder) if name.isalnum()]  # noqa: PTH208 - `5.ref` is a pipe
        for name in names[:_MOST]:
            try:
                lines = read(f"{folder}/{name}").splitlines()
            except OSError:  # it ended meanwhile
                continue
            said = dict(line.partition(b"=")[::2] for line in lines)
            if said.get(b"CLASS") == b"user" and said.get(b"USER"):
                yield said[b"USER"]
