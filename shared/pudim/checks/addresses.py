"""Which addresses a check may connect to: decided on the address itself, whatever name or notation led to it.

A name can resolve to anything, and an IPv6 address can carry an IPv4 one inside. So a guard is asked about the
address that is connected to, and about every address that is written in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, OpenStack and most others
            "169.254.170.2",  # AWS, credentials of containers
            "169.254.170.23",  # AWS, credentials of pods
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS, credentials of pods
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle, older
            "168.63.129.16",  # Azure, the host behind a virtual machine
        ),
    )
)
"""Where clouds hand out a machine's credentials to whoever asks from it."""
_NEVER: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "no address of a host"),
    ("169.254.0.0/16", "link-local"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("::/128", "no address of a host"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "site-local, withdrawn"),
    ("ff00::/8", "multicast"),
    ("100::/64", "discarded"),
    ("64:ff9b:1::/48", "translated by a network's own rule"),
)
_REFUSED: tuple[tuple[Network, str], ...] = tuple((ip_network(one), why) for one, why in _NEVER)
_PRIVATE = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "::1/128",
            "fc00::/7",
        ),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_CARRIERS = (0x0000_5EFE, 0x0200_5EFE, 0xFFFF_0000)
"""What stands before the last 32 bits of an ISATAP address, and of one that SIIT translated."""


@dataclass(frozen=True)
class Guard:
    """`private`: whether private and loopback addresses may be connected to. `networks`: if any, these only.

    `policy`, unless it is None, too: these only, and nothing at all where it names none.
    """

    private: bool = True
    networks: tuple[Network, ...] = ()
    policy: tuple[Network, ...] | None = None

    def refusal(self, address: str) -> str | None:
        """Why this address must not be connected to; None if it may."""
        found = plain(address)
        if found is None:
            return "not an address"
        for face in faces(found):
            why = _why_never(face)
            if why is None and not self.private and _is_in(face, _PRIVATE):
                why = "private"
            if why is not None:
                return why if face == found else f"{why}, as {face} inside it"
        if self.networks and not _is_in(found, self.networks):
            return "outside the networks that this host allows"
        if self.policy is not None and not _is_in(found, self.policy):
            return "outside the networks that this host's policy allows"
        return None


def plain(address: str) -> Address | None:
    """The address without its zone, an IPv4 one that is mapped into IPv6 as itself; None for what is none."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def faces(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses that relays and translators would read out of it."""
    yield address
    if isinstance(address, IPv4Address):
        return
    low = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    is_compatible = address in _COMPATIBLE and int(address) > 0xFFFF  # noqa: PLR2004 - not :: and ::1
    if address in _NAT64 or is_compatible or (int(address) >> 32) & 0xFFFF_FFFF in _CARRIERS:
        yield low


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is neither a network nor an address."""
    return tuple(ip_network(text, strict=False) for text in texts)


def _why_never(address: Address) -> str | None:
    if address in METADATA:
        return "a cloud's metadata"
    return next((why for network, why in _REFUSED if _is_in(address, (network,))), None)


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == one.version and address in one for one in networks)
