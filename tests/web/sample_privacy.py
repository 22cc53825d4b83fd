"""Contexts of the pages of one's own data and of retention, with names that people chose to be hostile."""

from __future__ import annotations

from typing import Any

HOSTILE = '"><script>alert(1)</script>'


def own_page(**errors: str) -> dict[str, Any]:
    return {
        "sections": [
            {"name": "account", "words": "Your account and how you like to read"},
            {"name": "sessions", "words": HOSTILE},
        ],
        "email": HOSTILE,
        "typed": HOSTILE if errors else "",
        "errors": errors,
    }


def retention_page(*, wrong: bool = False) -> dict[str, Any]:
    bounds = {"days": 400, "default": 400, "fewest": 1, "most": 3650}
    return {
        "kept": [
            {"name": "commands", "words": "Commands to servers, with what came of them", **bounds},
            {"name": "mails", "words": HOSTILE, **bounds},
        ],
        "wrong": "mails" if wrong else None,
        "typed": HOSTILE,
        "refusal": "It is kept for 1 to 14 days." if wrong else None,
    }
