"""TCP and UDP in segments, retransmits and failures, from /proc/net/snmp, snmp6 and netstat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pudim_agent.deltas import NAN, rates
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series

_DIRECTION = "network.io.direction"
_SOURCES: tuple[tuple[Series, tuple[str, ...]], ...] = (
    (series("system.network.tcp.segment.rate", {_DIRECTION: "receive"}), ("Tcp.InSegs",)),
    (series("system.network.tcp.segment.rate", {_DIRECTION: "transmit"}), ("Tcp.OutSegs",)),
    (series("system.network.tcp.retransmit.rate"), ("Tcp.RetransSegs",)),
    (series("system.network.tcp.open.rate", {"state": "active"}), ("Tcp.ActiveOpens",)),
    (series("system.network.tcp.open.rate", {"state": "passive"}), ("Tcp.PassiveOpens",)),
    (series("system.network.tcp.failure.rate", {"error.type": "attempt"}), ("Tcp.AttemptFails",)),
    (series("system.network.tcp.failure.rate", {"error.type": "reset"}), ("Tcp.EstabResets",)),
    (
        series("system.network.tcp.failure.rate", {"error.type": "listen_overflow"}),
        ("TcpExt.ListenOverflows",),
    ),
    (
        series("system.network.udp.datagram.rate", {_DIRECTION: "receive"}),
        ("Udp.InDatagrams", "Udp6InDatagrams"),
    ),
    (
        series("system.network.udp.datagram.rate", {_DIRECTION: "transmit"}),
        ("Udp.OutDatagrams", "Udp6OutDatagrams"),
    ),
    (series("system.network.udp.errors.rate", {"error.type": "no_port"}), ("Udp.NoPorts", "Udp6NoPorts")),
    (
        series("system.network.udp.errors.rate", {"error.type": "receive_buffer"}),
        ("Udp.RcvbufErrors", "Udp6RcvbufErrors"),
    ),
    (
        series("system.network.udp.errors.rate", {"error.type": "send_buffer"}),
        ("Udp.SndbufErrors", "Udp6SndbufErrors"),
    ),
)
_SERIES = tuple(one for one, _ in _SOURCES)
_NAMES = frozenset(name for _, names in _SOURCES for name in names)


@samplers.register("transport")
class Transport:
    Config = SamplerConfig

    def __init__(self, host: Host, _config: SamplerConfig) -> None:
        self._host = host
        self._tables = {name: _Table(name) for name in ("Tcp", "Udp", "TcpExt")}
        self._before: tuple[float, Sequence[float]] | None = None

    def sample(self, tick: Tick) -> Iterable[Reading]:
        try:
            snmp = self._host.read("net/snmp")
        except OSError:
            return
        counted = {
            **self._tables["Tcp"].figures(snmp),
            **self._tables["Udp"].figures(snmp),
            **self._tables["TcpExt"].figures(self._read("net/netstat")),
            **_list(self._read("net/snmp6")),
        }
        after = [_sum(counted, names) for _, names in _SOURCES]
        since, before = self._before or (tick.monotonic, None)
        self._before = tick.monotonic, after
        seconds = tick.monotonic - since
        yield Reading(
            _SERIES, [rates(before and [before[n]], [one], seconds)[0] for n, one in enumerate(after)]
        )

    def _read(self, path: str) -> bytes:
        try:
            return self._host.read(path)
        except OSError:  # a kernel without IPv6
            return b""


def _sum(counted: Mapping[str, int], names: Iterable[str]) -> float:
    found = [counted[name] for name in names if name in counted]
    return float(sum(found)) if found else NAN


class _Table:
    """Two lines of a file, `Tcp: InSegs OutSegs` and `Tcp: 5 7`. Of a hundred figures a few are wanted; where they are
    is looked up when the first line changes, which it does with the kernel.
    """

    def __init__(self, name: str) -> None:
        self._name, self._start = name, f"\n{name}: ".encode()
        self._heads = b""
        self._wanted: list[tuple[str, int]] = []

    def figures(self, text: bytes) -> dict[str, int]:
        text = b"\n" + text
        start = text.find(self._start)
        if start < 0:
            return {}
        end = text.find(b"\n", start + 1)
        heads, figures = text[start:end], text[end : text.find(b"\n", end + 1)].split()
        if heads != self._heads:
            self._heads = heads
            names = [f"{self._name}.{one.decode(errors='replace')}" for one in heads.split()]
            self._wanted = [(name, at) for at, name in enumerate(names) if name in _NAMES]
        return {name: int(figures[at]) for name, at in self._wanted if at < len(figures)}


def _list(text: bytes) -> dict[str, int]:
    """Lines `Udp6InDatagrams  5`; the others are of no use here."""
    start = text.find(b"\nUdp6")
    if start < 0:
        return {}
    pairs = (line.split() for line in text[start + 1 :].splitlines() if line.startswith(b"Udp6"))
    return {name.decode(): int(figure) for name, figure in pairs}
