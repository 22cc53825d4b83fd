"""Where passkeys work: under one host name, over https, and on this machine itself."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

CHALLENGE_LIFE = timedelta(minutes=5)
MOST_CHALLENGES = 10_000
"""That wait for an answer at one time; the oldest give way."""
MOST_PASSKEYS = 20
"""Of one person."""
LONGEST_NAME = 64


@dataclass(frozen=True)
class Site:
    """The relying party: a passkey belongs to `rp_id`, and answers count from pages of `origin`.

    `trouble` says why there can be none under this address, empty where there can.
    """

    rp_id: str
    origin: str
    trouble: str = ""

    def elsewhere(self, scheme: str, netloc: str) -> str:
        """Where passkeys work for a person whose browser shows the page under this address; empty for here."""
        return "" if f"{scheme}://{netloc}".lower() == self.origin else self.origin


def site_of(public_url: str) -> Site:
    """From where browsers reach this collector."""
    parts = urlsplit(public_url)
    host, port = (parts.hostname or "").lower(), f":{parts.port}" if parts.port else ""
    if _is_loopback(host):
        return Site("localhost", f"{parts.scheme}://localhost{port}")
    origin = f"{parts.scheme}://{parts.netloc.lower()}"
    if parts.scheme != "https":
        return Site(
            host, origin, "Browsers offer passkeys over https only; set PUDIM_PUBLIC_URL to such an address."
        )
    if _is_address(host):
        return Site(host, origin, "Browsers offer passkeys under a name only, not under a network address.")
    return Site(host, origin)


def clean_name(name: str) -> str:
    """As it may be shown; what cannot is left out, and nothing left is a name too."""
    printable = "".join(one for one in name.strip() if one.isprintable())
    return printable[:LONGEST_NAME] or "Passkey"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
