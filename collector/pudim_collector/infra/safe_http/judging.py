"""Which address may be connected to: public ones, and what the operator allowed; some never, whoever allows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from pudim.checks.addresses import Address, Guard, Network, plain
from pudim_collector.infra.safe_http.allowing import Allowed

USUAL_PORTS = frozenset({80, 443})
_FIRST_FREE_PORT = 1024
_SPOKEN_FOR = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080}
)
"""Those above 1023 that browsers refuse too, since another protocol may take a request for its own."""
_NEVER, _PUBLIC = Guard(), Guard(private=False)
_NOT_PUBLIC: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), why)
    for network, why in (
        ("192.0.2.0/24", "for documents"),
        ("198.51.100.0/24", "for documents"),
        ("203.0.113.0/24", "for documents"),
        ("192.88.99.0/24", "a relay"),
        ("2001:db8::/32", "for documents"),
        ("3fff::/20", "for documents"),
        ("2001::/32", "a tunnel"),  # Teredo
        ("2001::/23", "reserved"),
        ("2002::/16", "a tunnel"),  # 6to4
    )
)
_GLOBAL, _NAT64 = IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96")
_WELL_KNOWN = frozenset({IPv4Address("192.0.0.170"), IPv4Address("192.0.0.171")})
"""What `ipv4only.arpa` is, RFC 7050."""
_PREFIX_LENGTHS = (96, 64, 56, 48, 40, 32)


@dataclass(frozen=True)
class Place:
    """Where this collector stands: its host's own addresses, and the prefixes under which its network translates IPv4."""

    own: frozenset[Address] = frozenset()
    translated: tuple[IPv6Network, ...] = ()


def refusal(host: str, port: int, address: str, allowed: Allowed, place: Place) -> str | None:
    """Why a connection to this address, which `host` led to, must not be made: a word or two; None if it may."""
    found = plain(address)
    if found is None or "%" in address:
        return "not an address"
    if found != ip_address(address):
        return "mapped"
    for face in (found, *_translated(found, place)):
        if (why := _NEVER.refusal(str(face))) is not None:
            return _short(why)
    if not allowed.address(host, found) and (why := _why_not_public(found, place)) is not None:
        return why
    return None if _is_usual(host, found, port, allowed) else "port"


def is_public(address: str, place: Place) -> bool:
    """Whether it needs nobody's leave: what is not, was let by the operator for this side of a proxy."""
    found = plain(address)
    return found is not None and _why_not_public(found, place) is None


def nat64_prefixes(answers: Iterable[str]) -> tuple[IPv6Network, ...]:
    """The network's own prefixes out of what it says that `ipv4only.arpa` is; RFC 7050, section 3."""
    found = [one for one in map(plain, answers) if isinstance(one, IPv6Address)]
    prefixes = (
        IPv6Network((int(one), length), strict=False)
        for one in found
        for length in _PREFIX_LENGTHS
        if embedded(one, length) in _WELL_KNOWN
    )
    return tuple(dict.fromkeys(prefixes))


def embedded(address: IPv6Address, length: int) -> IPv4Address:
    """The IPv4 address behind a prefix of this length; bits 64 to 71 stand between. RFC 6052, section 2.2."""
    number = int(address)
    if length < 96:  # noqa: PLR2004 - where nothing stands between any more
        number = (number >> 64 << 56) | (number & ((1 << 56) - 1))
        return IPv4Address(number >> (120 - length - 32) & 0xFFFF_FFFF)
    return IPv4Address(number & 0xFFFF_FFFF)


def _translated(address: Address, place: Place) -> Iterator[Address]:
    if isinstance(address, IPv6Address):
        yield from (embedded(address, one.prefixlen) for one in place.translated if address in one)


def _why_not_public(address: Address, place: Place) -> str | None:
    faces = [address, *_translated(address, place)]
    if isinstance(address, IPv6Address) and address in _NAT64:
        faces.append(embedded(address, 96))
    for face in faces:
        if (why := _PUBLIC.refusal(str(face))) is not None:
            return _short(why)
        if face in place.own:
            return "own address"
        if (why := _reserved(face)) is not None:
            return why
    return None


def _reserved(address: Address) -> str | None:
    for network, why in _NOT_PUBLIC:
        if address.version == network.version and address in network:
            return why
    if isinstance(address, IPv6Address) and address not in _GLOBAL and address not in _NAT64:
        return "reserved"
    return None


def _is_usual(host: str, address: Address, port: int, allowed: Allowed) -> bool:
    word = allowed.port(host, address, port)
    if word is not None:
        return word
    return port in USUAL_PORTS or (port >= _FIRST_FREE_PORT and port not in _SPOKEN_FOR)


def _short(why: str) -> str:
    return why.partition(",")[0]
