"""How long the way in may take, and what a browser is called that says what it is."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import sha256

HALF_SESSION_LIFE = timedelta(minutes=10)
MOST_HALF_SESSIONS = 10
"""Of one account at a time; the oldest give way."""
MOST_DEVICES = 20
"""Of one account; the one that was used least recently gives way."""
LONGEST_PATH = 2048

# The first that is found names it: each later one is also in what the earlier ones say of themselves.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chromium", "Chromium"),
    ("HeadlessChrome", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def digest(secret: str) -> bytes:
    """What is stored of a random secret; it holds 256 bits, so that a plain hash is enough."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def device_of(user_agent: str) -> str:
    """Such as `Firefox on Linux`; what a browser says of itself is a claim, so no more than a few known words."""
    browser = _named(user_agent, _BROWSERS)
    system = _named(user_agent, _SYSTEMS)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Unknown device"


def _named(user_agent: str, known: tuple[tuple[str, str], ...]) -> str:
    for mark, name in known:
        if re.search(rf"\b{re.escape(mark)}", user_agent):
            return name
    return ""
