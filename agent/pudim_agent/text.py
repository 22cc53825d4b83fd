"""Names that come from the host (processes, mounts, devices) made harmless: any program there can choose them."""

from __future__ import annotations

LONGEST_NAME = 128


def printable(raw: bytes, longest: int = LONGEST_NAME) -> str:
    """`raw` as UTF-8 text in which control, invisible and undecodable characters are replaced by U+FFFD."""
    text = raw[: 4 * longest].decode(errors="replace")[:longest]
    if text.isprintable():
        return text or "?"
    return "".join(one if one.isprintable() else "\ufffd" for one in text)
