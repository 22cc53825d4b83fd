"""Which texts are mail addresses that one mail server can be told, and nothing else besides."""

from __future__ import annotations

import re

from pudim.checks.connecting import ascii_name, is_name
from pudim_collector.infra.mail.errors import BadAddress

LONGEST = 254
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST_LOCAL = 64


def address(text: str) -> str:
    """As it is told the mail server, its domain in ASCII and small letters. Raises BadAddress."""
    local, _, domain = text.rpartition("@")
    if len(local) > _LONGEST_LOCAL or not _LOCAL.fullmatch(local) or not is_name(domain):
        raise BadAddress
    found = f"{local}@{ascii_name(domain).lower()}"
    if len(found) > LONGEST or found.endswith("."):
        raise BadAddress
    return found


def domain(text: str) -> str:
    return text.rpartition("@")[2]
