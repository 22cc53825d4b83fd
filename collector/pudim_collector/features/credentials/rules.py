"""How long a link by mail is good."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

RESET_LIFE = timedelta(minutes=30)
CONFIRMATION_LIFE = timedelta(hours=24)


def digest(secret: str) -> bytes:
    """What is stored of a link; it holds 256 bits, so that a plain hash is enough."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
