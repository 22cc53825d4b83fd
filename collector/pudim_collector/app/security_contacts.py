"""Whom an installation's operator names for reports of weaknesses: addresses as RFC 9116 has them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pudim_collector.infra.mail.addresses import address
from pudim_collector.infra.mail.errors import BadAddress

MOST_CONTACTS = 8
LONGEST = 512
_URL = re.compile(r"https://[A-Za-z0-9\[\]._~:/?#@!$&'()*+;=%-]+")


def contacts(text: str) -> tuple[str, ...]:
    """Mail addresses, https and tel addresses, apart by spaces or commas, as they stand in the file. Raises ValueError."""
    words = re.split(r"[\s,]+", text.strip()) if text.strip() else []
    if len(words) > MOST_CONTACTS:
        raise ValueError(f"has more than {MOST_CONTACTS} contacts")
    return tuple(_contact(word) for word in words)


def _contact(word: str) -> str:
    """RFC 9116, section 2.5.4: a URI, one on the web only by https."""
    if _URL.fullmatch(word) and len(word) <= LONGEST and _has_host(word):
        return word
    if re.fullmatch(r"tel:\+[0-9-]{5,32}", word):
        return word
    try:
        return f"mailto:{address(word.removeprefix('mailto:'))}"
    except BadAddress:
        raise ValueError(f"{word!r} is neither a mail address nor an https or tel address") from None


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
