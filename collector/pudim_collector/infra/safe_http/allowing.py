"""Which internal targets an installation's operator lets the collector ask, though they are not public."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network

from pudim.checks.addresses import Address, Network
from pudim.checks.connecting import ascii_name, is_name
from pudim_collector.infra.safe_http.targets import ends_in_a_number

MOST_ENTRIES = 256
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:./]+)\](?::([0-9]{1,5}))?")
_WITH_PORT = re.compile(r"([^:]+):([0-9]{1,5})")
_LAST_PORT = 65_535


@dataclass(frozen=True)
class Entry:
    """One of `network` and `host`; every usual port where `port` is None."""

    network: Network | None = None
    host: str | None = None
    port: int | None = None

    def covers(self, host: str, address: Address) -> bool:
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return host == self.host


@dataclass(frozen=True)
class Allowed:
    """Without entries: public addresses only."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Allowed:
        """Networks, addresses and names, each perhaps with a port, apart by commas or spaces. Raises ValueError."""
        words = re.split(r"[\s,]+", text.strip()) if text.strip() else []
        if len(words) > MOST_ENTRIES:
            raise ValueError(f"has more than {MOST_ENTRIES} entries")
        return cls(tuple(_entry(word) for word in words))

    def address(self, host: str, address: Address) -> bool:
        """Whether the operator let this one be asked."""
        return any(one.covers(host, address) for one in self.entries)

    def port(self, host: str, address: Address, port: int) -> bool | None:
        """Whether this port is let; None where no entry names one, so that the usual ports are meant."""
        ports = [one.port for one in self.entries if one.covers(host, address)]
        if port in ports:
            return True
        return None if not ports or None in ports else False


def _entry(word: str) -> Entry:
    if found := _BRACKETED.fullmatch(word):
        return Entry(network=_network(found[1]), port=_port(found[2]))
    if found := _WITH_PORT.fullmatch(word):
        return _named(found[1], _port(found[2]))
    return _named(word, None)


def _named(word: str, port: int | None) -> Entry:
    if ":" in word or "/" in word or ends_in_a_number(word):
        return Entry(network=_network(word), port=port)
    if not is_name(word):
        raise ValueError(f"{word!r} is neither a network nor a name")
    return Entry(host=ascii_name(word).lower().removesuffix("."), port=port)


def _network(word: str) -> Network:
    try:
        return ip_network(word, strict=False)
    except ValueError as error:
        raise ValueError(f"{word!r} is neither a network nor a name") from error


def _port(digits: str | None) -> int | None:
    if digits is None:
        return None
    if not 0 < int(digits) <= _LAST_PORT:
        raise ValueError(f"{digits} is no port")
    return int(digits)
