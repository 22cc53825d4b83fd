"""How many sockets there are, by state, and what they take, from /proc/net/sockstat and the kernel's own count."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pudim_agent import inet_diag
from pudim_agent.deltas import NAN
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers, series

# include/net/tcp_states.h. Established and waiting ones come from files that cost nothing.
_RARE = {
    2: "syn_sent",
    3: "syn_recv",
    4: "fin_wait_1",
    5: "fin_wait_2",
    8: "close_wait",
    9: "last_ack",
    10: "listen",
    11: "closing",
}
_CLOSE_WAIT = 8
_MOST = 20_000  # sockets in the states above; 10 ms
_MOST_LINES = 4_000  # of /proc/net/tcp, where netlink is forbidden; 5 ms
_COUNT_SECONDS = 30.0
_TCP = ("established", "time_wait", *_RARE.values())
_SERIES = (
    *(
        series(
            "system.network.connection.count", {"network.transport": "tcp", "network.connection.state": state}
        )
        for state in _TCP
    ),
    series("system.network.connection.count", {"network.transport": "udp"}),
    series("system.linux.socket.count"),
    series("system.linux.tcp.orphan.count"),
    series("system.linux.tcp.memory"),
)
_CONNTRACK = (series("system.linux.conntrack.count"), series("system.linux.conntrack.limit"))
_PAGE = os.sysconf("SC_PAGESIZE")


@samplers.register("sockets")
class Sockets:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._rare = dict.fromkeys(_RARE, NAN)
        self._due = float("-inf")

    def sample(self, tick: Tick) -> Iterable[Reading]:
        try:
            used = _sockstat(self._host.read("net/sockstat") + self._read("net/sockstat6"))
        except OSError:
            return
        if tick.monotonic >= self._due:
            self._due = tick.monotonic + _COUNT_SECONDS
            self._rare = self._count(used)
        yield Reading(
            _SERIES,
            [
                self._established(),
                used.get("TCP.tw", NAN),
                *self._rare.values(),
                used.get("UDP.inuse", NAN) + used.get("UDP6.inuse", 0.0),
                used.get("sockets.used", NAN),
                used.get("TCP.orphan", NAN),
                used.get("TCP.mem", NAN) * _PAGE,
            ],
        )
        yield from self._conntrack()

    def _established(self) -> float:
        """The kernel's figure holds those that the other end has closed, too."""
        current = _current(self._read("net/snmp"))
        waiting = self._rare[_CLOSE_WAIT]
        return max(0.0, current - waiting) if waiting >= 0 else current

    def _count(self, used: dict[str, float]) -> dict[int, float]:
        """Unknown when there are too many to count at a bearable price."""
        try:
            if self._host.netlink:
                return {state: float(n) for state, n in inet_diag.count(_RARE, _MOST).items()}
        except inet_diag.TooManySockets:
            return dict.fromkeys(_RARE, NAN)
        except OSError:
            pass  # forbidden, or a kernel without it
        lines = used.get("TCP.inuse", 0.0) + used.get("TCP6.inuse", 0.0) + used.get("TCP.tw", 0.0)
        if lines > _MOST_LINES:
            return dict.fromkeys(_RARE, NAN)
        return _listed(self._read("net/tcp") + self._read("net/tcp6"))

    def _conntrack(self) -> Iterable[Reading]:
        folder = "sys/net/netfilter/nf_conntrack_"
        count, limit = self._read(f"{folder}count"), self._read(f"{folder}max")
        if count and limit:
            yield Reading(_CONNTRACK, [float(count), float(limit)])

    def _read(self, path: str) -> bytes:
        try:
            return self._host.read(path)
        except OSError:
            return b""


def _sockstat(text: bytes) -> dict[str, float]:
    """Lines `TCP: inuse 8 orphan 0 tw 2`."""
    found: dict[str, float] = {}
    for line in text.decode(errors="replace").splitlines():
        kind, _, rest = line.partition(": ")
        words = rest.split()
        found.update((f"{kind}.{name}", float(n)) for name, n in zip(words[::2], words[1::2], strict=False))
    return found


def _current(text: bytes) -> float:
    """Tcp's CurrEstab, the ninth figure of its second line."""
    start = text.find(b"\nTcp: ", text.find(b"\nTcp: ") + 1)
    figures = text[start + 1 : text.find(b"\n", start + 1)].split() if start >= 0 else []
    return float(figures[9]) if len(figures) > 9 else NAN  # noqa: PLR2004


def _listed(text: bytes) -> dict[int, float]:
    """The fourth column of /proc/net/tcp, in hexadecimal."""
    found = dict.fromkeys(_RARE, 0.0)
    for line in text.splitlines():
        number, *columns = line.split(None, 4)
        if number.endswith(b":") and (state := int(columns[2], 16)) in found:
            found[state] += 1
    return found
