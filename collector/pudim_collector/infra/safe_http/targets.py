"""Where a URL leads, in one reading only: what two readers could understand differently is refused."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from pudim.checks.addresses import plain
from pudim.checks.connecting import is_name
from pudim.checks.http_client import Target, target_of
from pudim_collector.infra.safe_http.errors import BadRedirect, BadUrl

LONGEST_URL = 4096
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def ends_in_a_number(host: str) -> bool:
    """Whether some reader takes it for an IPv4 address: `0x7f.1`, `2130706433`, `127.1` (WHATWG's URL standard says so)."""
    return bool(_NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]))


def target(url: str) -> Target:
    """Raises BadUrl."""
    if len(url) > LONGEST_URL:
        raise BadUrl(f"The address is longer than {LONGEST_URL} characters.")
    try:
        found = target_of(url)
    except ValueError as error:
        raise BadUrl(f"The address {_said(error)}.") from None
    host = found.host.lower()
    if "[" in urlsplit(url).netloc:
        is_taken = ":" in host
    else:
        is_taken = plain(host) is not None or (is_name(host) and not ends_in_a_number(host))
    if not is_taken:
        raise BadUrl("The address names a host in a notation that is not taken.")
    literal = plain(host) is not None
    return found._replace(host=str(ip_address(host)) if literal else host.removesuffix("."))


def follow(before: Target, location: str) -> Target:
    """Where a redirect leads. Raises BadRedirect."""
    if len(location) > LONGEST_URL:
        raise BadRedirect("The server leads to an address that is too long.")
    try:
        after = target(urljoin(f"{before.scheme}://{before.authority}{before.path}", location))
    except (BadUrl, ValueError):
        raise BadRedirect("The server leads to an address that cannot be asked.") from None
    if before.scheme == "https" and after.scheme != "https":
        raise BadRedirect("The server leads from https to http.")
    return after


def _said(error: ValueError) -> str:
    """Our own reader's words; those of the standard library may repeat a part of the URL, which may be a secret."""
    words = str(error)
    return words if words.startswith(("has ", "must ", "names ")) else "cannot be read"
