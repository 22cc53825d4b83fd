"""Hosts of network namespaces on one bridge, whose cables a test can cut, where this user may make them."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

NOT_HERE = "no host can be made: network namespaces need root and the kernel's leave"
_LOSS = "0.15"


def ip(*words: str, check: bool = True) -> bool:
    return subprocess.run(["ip", *words], check=check, capture_output=True).returncode == 0


@dataclass
class NamedHost:
    """One namespace with an interface `eth0`; `outside` is the other end of its cable."""

    name: str
    outside: str
    network: str
    number: int

    @property
    def address(self) -> str:
        return f"{self.network}.{self.number}"

    def inside(self, argv: Sequence[str]) -> list[str]:
        """How to run a program there: it takes the place of the one that leads there."""
        return ["ip", "netns", "exec", self.name, *argv]

    def unplug(self) -> None:
        ip("link", "set", self.outside, "down")

    def plug_in(self) -> None:
        ip("link", "set", self.outside, "up")

    def swallow(self) -> None:
        """Everything that is sent is gone, and nobody says so."""
        ip("-n", self.name, "route", "add", "blackhole", f"{self.network}.1/32")

    def deliver(self) -> None:
        ip("-n", self.name, "route", "del", "blackhole", f"{self.network}.1/32", check=False)

    def lose_some(self) -> None:
        """Also late and out of order, where the kernel can do that."""
        netem = ["delay", "30ms", "20ms", "reorder", "20%", "loss", "15%"]
        if not self._tc("add", "netem", *netem):
            self._filter("-A")

    def lose_none(self) -> None:
        if not self._tc("del"):
            self._filter("-D")

    def narrow(self) -> None:
        """So little passes that what is sent waits in line."""
        self._tc("add", "tbf", "rate", "64kbit", "burst", "8kb", "latency", "800ms")

    def widen(self) -> None:
        self._tc("del")

    def move(self) -> None:
        """Another address; what was connected by the old one hears nothing any more."""
        ip("-n", self.name, "addr", "flush", "dev", "eth0")
        self.number += 100
        ip("-n", self.name, "addr", "add", f"{self.address}/24", "dev", "eth0")

    def _tc(self, verb: str, *words: str) -> bool:
        argv = self.inside(["tc", "qdisc", verb, "dev", "eth0", "root", *words])
        return subprocess.run(argv, check=False, capture_output=True).returncode == 0

    def _filter(self, verb: str) -> None:
        chance = ["-m", "statistic", "--mode", "random", "--probability", _LOSS, "-j", "DROP"]
        for chain in ("INPUT", "OUTPUT"):
            argv = self.inside(
                ["iptables", verb, chain, "!", "-i" if chain == "INPUT" else "-o", "lo", *chance]
            )
            subprocess.run(argv, check=True, capture_output=True)


@contextmanager
def hosts(count: int) -> Iterator[list[NamedHost] | None]:
    """On a network whose `.1` is this machine. None where they may not be made."""
    mark = f"{os.getpid() % 0xFFFF:04x}"
    network = f"198.18.{os.getpid() % 256}"  # set aside for tests of networks, RFC 2544
    bridge = f"pdb{mark}"
    if os.geteuid() != 0 or not ip("link", "add", bridge, "type", "bridge", check=False):
        yield None
        return
    made: list[NamedHost] = []
    try:
        ip("addr", "add", f"{network}.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for number in range(count):
            host = NamedHost(f"pudim-{mark}-{number}", f"pdv{mark}{number}", network, number + 10)
            if not ip("netns", "add", host.name, check=False):
                yield None
                return
            made.append(host)
            _plug(host, bridge)
        yield made
    finally:
        for host in made:
            ip("netns", "del", host.name, check=False)
            ip("link", "del", host.outside, check=False)
        ip("link", "del", bridge, check=False)


def _plug(host: NamedHost, bridge: str) -> None:
    ip("link", "add", host.outside, "type", "veth", "peer", "name", "eth0", "netns", host.name)
    ip("link", "set", host.outside, "master", bridge, "up")
    ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "eth0")
    ip("-n", host.name, "link", "set", "eth0", "up")
    ip("-n", host.name, "link", "set", "lo", "up")
