"""Takes StatsD's and DogStatsD's packets from programs of this host, and adds them up from tick to tick.

Off unless it is asked for: it is the one part of the agent that others can send to.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from pudim_agent.custom.names import KIND
from pudim_agent.custom.readings import SOURCE, counts_of, own, readings
from pudim_agent.custom.statsd_table import StatsdTable
from pudim_agent.deltas import rates
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers

MOST_BYTES_A_SECOND = 1 << 18
"""Of packets, each with what it costs beside its bytes. What comes beyond waits in the socket, is dropped there when
that is full, and is counted."""
_PACKET_BYTES = 32
_LONGEST_PACKET = 1 << 16
_BYTES_AT_ONCE = 1 << 14
_BACKLOG_BYTES = 1 << 20
_SO_MEMINFO, _DROPS, _MEMINFO_BYTES = (
    55,
    8,
    36,
)  # sk_getsockopt(SO_MEMINFO): nine 32-bit words, the last are drops
_COUNTS = counts_of("statsd")
_OWN = tuple(own(f"pudim.statsd.{name}") for name in ("line.rate", "lines.bad", "packets.dropped"))


@dataclass(frozen=True)
class StatsdConfig(SamplerConfig):
    enabled: bool = field(default=False, metadata={"help": "Whether to listen."})
    address: str = field(default="127.0.0.1", metadata={"help": "The address to listen on, by UDP."})
    port: int = field(
        default=8125, metadata={"help": "The port to listen on; 0 takes any.", "low": 0, "high": 65535}
    )
    allow_remote: bool = field(
        default=False,
        metadata={"help": "Allow an address that other hosts can send to; nothing proves who does."},
    )
    socket: Path | None = field(
        default=None,
        metadata={"help": "A Unix datagram socket to listen on, too; every local user may send."},
    )
    quantiles: tuple[float, ...] = field(
        default=(0.5, 0.95, 0.99), metadata={"help": "Of timers, histograms and distributions."}
    )
    idle_seconds: float = field(
        default=300.0,
        metadata={"help": "How long something is reported that nobody sends.", "low": 1.0, "high": 86_400.0},
    )
    max_series: int = field(default=1000, metadata={"help": "Series at most.", "low": 1, "high": 5000})

    def faults(self) -> Iterable[str]:
        try:
            if not ip_address(self.address).is_loopback and not self.allow_remote:
                yield f"address: {self.address} can be reached from outside; set allow_remote = true to allow that"
        except ValueError:
            yield f"address: must be an IP address, not {self.address!r}"
        if not all(0 < one < 1 for one in self.quantiles) or len(set(self.quantiles)) < len(self.quantiles):
            yield "quantiles: must lie between 0 and 1, each once"


@samplers.register("statsd")
class Statsd:
    Config = StatsdConfig

    def __init__(self, host: Host, config: StatsdConfig) -> None:
        self._host, self._config = host, config
        self._share = host.custom.share("statsd", config.max_series)
        self._table = StatsdTable(
            self._share.origin("statsd", {KIND: "statsd"}), config.quantiles, config.idle_seconds
        )
        self._sockets: list[socket.socket] = []
        self._dropped = 0
        self._room = MOST_BYTES_A_SECOND
        self._since: float | None = None
        self._before: tuple[int] | None = None
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Raises OSError when an address is taken."""
        loop = asyncio.get_running_loop()
        with ExitStack() as opened:
            self._sockets = self._bound(opened)
            opened.callback(self._close)
            if self._since is None:
                self._since = loop.time()
            self.listening.set()
            while True:
                self._room = MOST_BYTES_A_SECOND
                for one in self._sockets:
                    loop.add_reader(one, self._read, one)
                await asyncio.sleep(1.0)

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as `address:port` or path."""
        return [_shown(one.getsockname()) for one in self._sockets]

    def sample(self, tick: Tick) -> Iterable[Reading]:
        self._host.custom.look(tick.monotonic, tick.time_ms, self._host.notices)
        origin = self._share.origin("statsd", {})
        seconds = tick.monotonic - self._since if self._since is not None else 0.0
        self._table.flush(seconds, tick.monotonic)
        after = (self._table.taken,)
        (lines,) = rates(self._before, after, seconds)
        self._since, self._before = tick.monotonic, after
        origin.say(self._table.example, tick.time_ms)
        yield from readings(self._share, _COUNTS)
        yield Reading(_OWN, [lines, float(self._table.bad), float(self._drops())], SOURCE)

    def _bound(self, opened: ExitStack) -> list[socket.socket]:
        family = socket.AF_INET6 if ":" in self._config.address else socket.AF_INET
        found = [opened.enter_context(_datagrams(family, (self._config.address, self._config.port)))]
        path = self._config.socket
        if path is not None:
            _clear(path)
            before = os.umask(0o111)  # every local user may send, as by UDP
            try:
                found.append(opened.enter_context(_datagrams(socket.AF_UNIX, str(path))))
            finally:
                os.umask(before)
            opened.callback(_clear, path)
        return found

    def _close(self) -> None:
        loop = asyncio.get_running_loop()
        self._dropped = self._drops()
        for one in self._sockets:
            loop.remove_reader(one)
        self._sockets = []
        self.listening.clear()

    def _read(self, one: socket.socket) -> None:
        """Some packets of many: others wait for the loop, too."""
        now = asyncio.get_running_loop().time()
        enough = self._room - _BYTES_AT_ONCE
        while self._room > enough:
            try:
                packet = one.recv(_LONGEST_PACKET)
            except OSError:
                return  # read empty
            self._table.take(packet, now)
            self._room -= len(packet) + _PACKET_BYTES
            if self._room <= 0:
                for each in self._sockets:
                    asyncio.get_running_loop().remove_reader(each)
                return

    def _drops(self) -> int:
        return self._dropped + sum(map(_drops, self._sockets))


def _datagrams(family: socket.AddressFamily, address: tuple[str, int] | str) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BACKLOG_BYTES)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def _clear(path: Path) -> None:
    """What an agent that was killed left there; nothing else is ever removed."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _drops(one: socket.socket) -> int:
    found = one.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO_BYTES)
    return int.from_bytes(found[4 * _DROPS :][:4], sys.byteorder)


def _shown(name: Any) -> str:
    return name if isinstance(name, str) else f"{name[0]}:{name[1]}"
