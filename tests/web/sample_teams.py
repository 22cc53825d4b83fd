"""Contexts of a team's pages, with names that people chose to be hostile."""

from __future__ import annotations

from typing import Any

NOW = "2026-11-22T16:40:05Z"
HOSTILE = '"><script>alert(1)</script>'
OWN = "00000000-0000-7000-8000-0000000000aa"


def member(number: int, role: str = "viewer", **changes: Any) -> dict[str, Any]:
    return {
        "user_id": str(number),
        "name": "Ada " + HOSTILE,
        "email": HOSTILE,
        "role": role,
        "role_id": None,
        "role_name": role,
        "since": NOW,
        **changes,
    }


def grant(**changes: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "who": "Ada " + HOSTILE,
        "user_id": "1",
        "token_id": None,
        "role_name": "developer",
        "server_id": None,
        "tag": HOSTILE,
        **changes,
    }


def team_page(*, manages: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "team": {"id": "1", "name": "Pudim " + HOSTILE},
        "members": [member(1, "owner"), member(2, "own", role_id=OWN, role_name=HOSTILE)],
        "grants": [grant(), grant(tag=None, server_id=OWN, who="", user_id=None, token_id="t")],
        "invitations": [{"id": "1", "email": HOSTILE, "role_name": "viewer", "expires_at": NOW}],
        "link": None,
        "roles": [{"value": "viewer", "name": "viewer"}, {"value": OWN, "name": HOSTILE}],
        "you": "1",
        "demand": {"demanded": False, "members": 2, "without": 1},
        "may": dict.fromkeys(("manage", "change", "hand_over", "delete"), manages),
        "refusal": None,
        **changes,
    }


def roles_page(*, may_change: bool = True, refusal: str | None = None) -> dict[str, Any]:
    one = {
        "name": "servers:read",
        "allows": "See servers and their metrics",
        "on_server": True,
        "roles": ["owner", "viewer"],
        "own": [OWN],
        "givable": True,
    }
    other = {**one, "name": "servers:enrol", "roles": ["owner"], "own": [], "givable": False}
    return {
        "groups": {"servers": [one, other]},
        "built_in": ["owner", "viewer"],
        "own": [{"id": OWN, "name": HOSTILE, "permissions": ["servers:read"]}],
        "may_change": may_change,
        "refusal": refusal,
    }


def member_page() -> dict[str, Any]:
    held = {"name": "servers:read", "allows": "See servers and their metrics", "why": ["role " + HOSTILE]}
    return {"person": {"name": HOSTILE, "email": HOSTILE}, "held": [held]}


def invited(**changes: Any) -> dict[str, Any]:
    return {
        "team": HOSTILE,
        "email": HOSTILE,
        "has_account": False,
        "signed_in_as": None,
        "path": "/invitations/x",
        "values": {"name": HOSTILE},
        "refusal": None,
        **changes,
    }
