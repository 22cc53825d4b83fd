"""What a list of networks is, and whether an address is on it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import ClassVar, TypeAlias

from pudim.vocabulary.errors import PudimError

Network: TypeAlias = IPv4Network | IPv6Network
MOST_NETWORKS = 200
_LONGEST = 64


class AddressError(PudimError):
    """This list cannot be used."""

    field: ClassVar[str] = "networks"
    status = 422


class BadNetworks(AddressError):
    """The list holds something that is no network."""

    code = "bad_networks"
    hint = "Write addresses and networks such as 203.0.113.7, 198.51.100.0/24 or 2001:db8::/32."


class TooManyNetworks(AddressError):
    """The list is too long."""

    code = "too_many_networks"
    hint = "Put neighbours together into larger networks."


class LocksOut(AddressError):
    """With this list you could not come back from where you are."""

    code = "locks_out"
    status = 409
    field = "confirm"
    hint = "Add your own address, or confirm that you mean it."


class WiderAddresses(AddressError):
    """What a token makes may be used from nowhere else than that token itself."""

    code = "wider_addresses"
    status = 403


class AddressNotAllowed(PudimError):
    """This may not be used from this address."""

    code = "address_not_allowed"
    status = 403
    hint = "Whoever may manage addresses finds the list under Account, Addresses (/account/addresses)."


def words(text: str) -> list[str]:
    """What stands between commas, spaces and line ends."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def parse(written: Sequence[str]) -> list[Network]:
    """Each once, in order. Raises BadNetworks, TooManyNetworks."""
    if len(written) > MOST_NETWORKS:
        raise TooManyNetworks(f"A list holds at most {MOST_NETWORKS} networks.")
    return list(dict.fromkeys(_network(word.strip()) for word in written))


def _network(word: str) -> Network:
    if len(word) > _LONGEST or "%" in word:
        raise BadNetworks
    try:
        return ip_network(word)
    except ValueError:
        raise BadNetworks(f"{word!r} is no network.") from None


def allows(networks: Sequence[Network], address: str | None) -> bool:
    """An empty list allows everybody; one that holds anything never allows an address that is unknown."""
    if not networks:
        return True
    try:
        known = ip_address(address or "")
    except ValueError:
        return False
    seen: IPv4Address | IPv6Address = known
    if isinstance(known, IPv6Address) and known.ipv4_mapped:
        seen = known.ipv4_mapped
    return any(seen in network for network in networks)


def narrowed(networks: Sequence[Network], outer: Sequence[Network]) -> Sequence[Network]:
    """`networks`, or all of `outer` where they name none. Raises WiderAddresses for one that is not within `outer`."""
    if outer and not all(any(_is_within(one, other) for other in outer) for one in networks):
        raise WiderAddresses
    return networks or outer


def _is_within(one: Network, other: Network) -> bool:
    return (
        one.version == other.version
        and int(other.network_address) <= int(one.network_address)
        and (int(one.broadcast_address) <= int(other.broadcast_address))
    )


def check_way_back(networks: Sequence[Network], address: str | None, *, confirmed: bool) -> None:
    """Raises LocksOut."""
    if not confirmed and not allows(networks, address):
        raise LocksOut(f"Your own address, {address or 'which is unknown'}, is not on this list.")
