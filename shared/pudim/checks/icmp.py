"""Sends echo requests and counts what comes back: by a ping socket, which needs no rights, else by a raw one."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from pudim.checks import Down, Figure, Outcome, Status, Surroundings, Unknown, checks, setting
from pudim.checks.connecting import allowed, failed, is_host

LOSS = Figure("pudim.check.packet_loss")
FASTEST, MEAN, SLOWEST = (
    Figure("pudim.check.round_trip.duration", (("pudim.check.statistic", name),))
    for name in ("min", "mean", "max")
)
_PAUSE = 0.2
_TOKEN_BYTES = 16
_HEAD = struct.Struct("!BBHHH")
_LONGEST = 2048
_MOST_BURST = 64
"""Packets of others that are read in one go before anybody else gets a turn: a raw socket hears them all."""


@dataclass(frozen=True)
class IcmpConfig:
    host: str = setting("Host", "A name or an address.", required=True, longest=253)
    packets: int = setting("Packets", "Sent in each run.", 3, low=1, high=20)
    most_loss: float = setting(
        "Loss at most", "A share: 0.5 lets half of them be lost.", 0.5, low=0, high=0.99
    )
    slowest: float = setting("Mean at most, seconds", "0 does not ask.", 0.0, low=0, high=60)


@checks.register("icmp")
class Icmp:
    Config = IcmpConfig
    title = "Ping"
    help = "Sends echo requests; tells loss and round trip."
    figures = (LOSS, FASTEST, MEAN, SLOWEST)
    silence = Status.DOWN

    def __init__(self, config: IcmpConfig) -> None:
        self._config = config

    @staticmethod
    def faults(config: IcmpConfig) -> Iterable[tuple[str, str]]:
        if not is_host(config.host):
            yield "host", "must be a name or an address"

    async def run(self, around: Surroundings, timeout: float) -> Outcome:
        address = (await allowed(self._config.host, around))[0]
        with open_socket(address) as made:
            pinger = Pinger(made, address, around)
            try:
                trips = await pinger.ping(self._config.packets, timeout)
            except OSError as error:
                raise failed(error, address) from error
            finally:
                pinger.close()
        return self._judge(address, trips)

    def _judge(self, address: str, trips: list[float]) -> Outcome:
        config = self._config
        loss = 1 - len(trips) / config.packets
        figures = {LOSS: loss}
        if not trips:
            raise Down("no_reply", f"{address} answers none of {config.packets}", figures)
        mean = sum(trips) / len(trips)
        figures |= {FASTEST: min(trips), MEAN: mean, SLOWEST: max(trips)}
        words = f"{len(trips)} of {config.packets} came back, {mean * 1000:.3g} ms"
        if loss > config.most_loss:
            raise Down("loss", words, figures)
        if config.slowest and mean > config.slowest:
            raise Down("slow", words, figures)
        return Outcome(Status.UP, mean, words, figures=figures)


def open_socket(address: str) -> socket.socket:
    """A ping socket if net.ipv4.ping_group_range lets us, else a raw one with CAP_NET_RAW. Raises Unknown."""
    six = ":" in address
    family, protocol = (
        (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    )
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            made = socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol)
        except PermissionError:
            continue
        except OSError as error:
            raise failed(error, "ICMP") from error
        return made
    raise Unknown("not_permitted", "this agent may not ping: see net.ipv4.ping_group_range")


class Pinger:
    """One run of echo requests on a socket. A reply counts if it carries this run's random token, once a number."""

    def __init__(self, made: socket.socket, address: str, around: Surroundings) -> None:
        self._socket, self._address, self._timer = made, address, around.timer
        self._is_raw = made.type == socket.SOCK_RAW
        self._six = made.family == socket.AF_INET6
        self._token = secrets.token_bytes(_TOKEN_BYTES)
        self._number = os.getpid() & 0xFFFF
        self._sent: dict[int, float] = {}
        self._trips: dict[int, float] = {}
        self._arrived = asyncio.Event()
        asyncio.get_running_loop().add_reader(made.fileno(), self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())

    async def ping(self, packets: int, timeout: float) -> list[float]:
        """Round trips in seconds of the replies that came in time. Raises OSError when nothing can be sent."""
        pause = min(_PAUSE, timeout / (2 * packets))
        deadline = self._timer() + timeout * 0.95
        for sequence in range(1, packets + 1):
            if sequence > 1:
                await asyncio.sleep(pause)
            self._sent[sequence] = self._timer()
            self._socket.sendto(self._request(sequence), (self._address, 0))
        while len(self._trips) < packets and (rest := deadline - self._timer()) > 0:
            await self._next_reply(rest)
        return list(self._trips.values())

    async def _next_reply(self, patience: float) -> None:
        self._arrived.clear()
        alarm = asyncio.get_running_loop().call_later(patience, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            alarm.cancel()

    def _request(self, sequence: int) -> bytes:
        kind = 128 if self._six else 8
        bare = _HEAD.pack(kind, 0, 0, self._number, sequence) + self._token
        # Of IPv6, and of ping sockets, the kernel fills in the sum.
        return (
            bare if self._six else _HEAD.pack(kind, 0, checksum(bare), self._number, sequence) + self._token
        )

    def _read(self) -> None:
        for _ in range(_MOST_BURST):
            try:
                message, (source, *_) = self._socket.recvfrom(_LONGEST)
            except OSError:  # none left, or an error about a packet that is then lost
                return
            self._take(message, source)

    def _take(self, message: bytes, source: str) -> None:
        if self._is_raw and not self._six:
            message = message[(message[0] & 0xF) * 4 :] if message else b""
        if len(message) != _HEAD.size + _TOKEN_BYTES or source.partition("%")[0] != self._address:
            return
        kind, _, _, _, sequence = _HEAD.unpack_from(message)
        if kind != (129 if self._six else 0) or message[_HEAD.size :] != self._token:
            return
        if sequence in self._sent:
            self._trips.setdefault(sequence, self._timer() - self._sent[sequence])
            self._arrived.set()


def checksum(message: bytes) -> int:
    """RFC 1071: the complement of the sum of 16-bit words in ones' complement."""
    padded = message + b"\0" * (len(message) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
