"""What the page of a server's checks is given: one check in each state, and a form that came back with faults."""

from __future__ import annotations

from typing import Any

from pudim.checks import checks
from pudim_collector.features.uptime.rules import settings_of

KINDS = [
    {
        "kind": kind,
        "title": checks[kind].title,
        "help": checks[kind].help,
        "settings": list(settings_of(kind)),
    }
    for kind in sorted(checks)
]


def check(number: int, status: str, words: str, at: str | None) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-7000-8000-00000000000{number}",
        "name": f"Check {number} {words}",
        "kind": "http",
        "interval": 60.0,
        "timeout": 10.0,
        "enabled": status != "paused",
        "settings": {"url": "https://example.org"},
        "secrets": ["headers"],
        "created_at": at,
        "status": status,
        "since": at,
        "at": at,
        "duration": number / 2 if at else None,
        "detail": words if at else None,
        "code": "ok" if at else None,
    }


def checks_page(server: dict[str, Any], words: str, at: str, **changed: Any) -> dict[str, Any]:
    """`words` are a stranger's."""
    states = ("up", "down", "unknown", "pending", "paused")
    return {
        "server": server,
        "checks": [
            check(number, state, words, None if state == "pending" else at)
            for number, state in enumerate(states, 1)
        ],
        "kinds": KINDS,
        "defaults": {"interval": 60.0, "timeout": 10.0},
        "may_change": True,
        "values": {},
        "errors": {},
        **changed,
    }
