"""Under which keys an attempt is counted: digests that no attacker can make alike, and networks instead of addresses."""

from __future__ import annotations

import ipaddress
from hashlib import sha256

MOST_ROWS = 100_000
"""Digests of failures that are kept; the least recent give way."""


def key(*parts: str) -> bytes:
    """No two lists of parts have the same."""
    return sha256("".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")).digest()


def network_of(address: str) -> str:
    """What one attacker has at his disposal at least: a /24, or a /64."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))  # noqa: PLR2004
