"""Which addresses are this host's: what the agent fetches from them stays on the machine."""

from __future__ import annotations

import socket
from ipaddress import ip_address

_DISCARD = 9


def is_address(host: str) -> bool:
    """Whether it is one, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_own(address: str) -> bool:
    """Whether the kernel would answer from that address itself. Nothing is sent: a datagram socket only looks it up.

    Raises ValueError where it is no address.
    """
    found = ip_address(address)
    if found.is_loopback:
        return True
    if found.is_unspecified or found.is_multicast:
        return False
    family = socket.AF_INET6 if found.version == 6 else socket.AF_INET  # noqa: PLR2004 - IP's versions
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((address, _DISCARD))
            return ip_address(asking.getsockname()[0].partition("%")[0]) == ip_address(
                address.partition("%")[0]
            )
    except OSError:
        return False
