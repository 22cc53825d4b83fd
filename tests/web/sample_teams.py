"""Contexts of a team's pages, with names that people chose to be hostile."""

from __future__ import annotations

from typing import Any

NOW = "2026-11-22T16:40:05Z"
HOSTILE = '"><script>alert(1)</script>'
OWN = "00000000-0000-7000-8000-0000000000aa"
REFUSAL = {"detail": HOSTILE, "hint": HOSTILE}
ROLES = [{"value": "viewer", "name": "viewer"}, {"value": OWN, "name": HOSTILE}]
WHY: list[dict[str, Any]] = [
    {"role": "viewer", "server_id": None, "server": None, "tag": None},
    {"role": HOSTILE, "server_id": None, "server": None, "tag": HOSTILE},
    {"role": HOSTILE, "server_id": OWN, "server": HOSTILE, "tag": None},
    {"role": HOSTILE, "server_id": OWN, "server": None, "tag": None},
]


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
        "server": "",
        "tag": HOSTILE,
        **changes,
    }


def team_page(*, manages: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "team": {"id": "1", "name": "Pudim " + HOSTILE},
        "members": [member(1, "owner"), member(2, "own", role_id=OWN, role_name=HOSTILE)],
        "roles": ROLES,
        "you": "1",
        "is_only_owner": True,
        "demand": {"demanded": False, "members": 2, "without": 1},
        "may": dict.fromkeys(("manage", "change", "hand_over", "delete"), manages),
        "refusal": None,
        **changes,
    }


def settings_page(*, may: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "team": {"id": "1", "name": "Pudim " + HOSTILE},
        "servers": 2,
        "may": {"change": may, "delete": may},
        "refusal": None,
        **changes,
    }


def teams_page(*, may_create: bool = True, refusal: dict[str, str] | None = None) -> dict[str, Any]:
    return {"may_create": may_create, "values": {"name": HOSTILE}, "refusal": refusal}


def invitations_page(**changes: Any) -> dict[str, Any]:
    one = {"id": "1", "email": HOSTILE, "role_name": HOSTILE, "created_at": NOW, "expires_at": NOW}
    return {
        "invitations": [one],
        "made": None,
        "sends_mail": True,
        "roles": ROLES,
        "values": {"email": HOSTILE, "role": "viewer"},
        "refusal": None,
        **changes,
    }


def made(*, mailed: bool) -> dict[str, Any]:
    return {"link": "https://pudim.test/" + HOSTILE, "email": HOSTILE, "mailed": mailed}


def grants_page(**changes: Any) -> dict[str, Any]:
    return {
        "grants": [
            grant(),
            grant(tag=None, server_id=OWN, who="", user_id=None, token_id="t"),
            grant(tag=None, server_id=OWN, server=HOSTILE),
        ],
        "people": [{"id": "1", "name": HOSTILE, "email": HOSTILE}],
        "tokens": [{"id": "t", "name": HOSTILE}],
        "servers": [{"id": OWN, "name": HOSTILE}],
        "tags": [HOSTILE],
        "roles": ROLES,
        "values": {"who": "user:1", "role": OWN, "where": "server:" + OWN},
        "may_manage": True,
        "refusal": None,
        **changes,
    }


def roles_page(*, may_change: bool = True, refusal: dict[str, str] | None = None) -> dict[str, Any]:
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
    held = {"name": "servers:read", "allows": "See servers and their metrics", "why": WHY}
    return {"person": member(1), "held": [held]}


def holders_page(**changes: Any) -> dict[str, Any]:
    return {
        "permission": {"name": "servers:read", "allows": "See servers and their metrics"},
        "holders": [
            {"kind": "user", "id": "1", "name": HOSTILE, "why": WHY},
            {"kind": "token", "id": "t", "name": HOSTILE, "why": WHY},
        ],
        **changes,
    }


def invited(**changes: Any) -> dict[str, Any]:
    return {
        "team": HOSTILE,
        "by": HOSTILE,
        "email": HOSTILE,
        "until": NOW,
        "has_account": False,
        "signed_in_as": None,
        "is_right": False,
        "path": "/invitations/x",
        "values": {"name": HOSTILE},
        "errors": {},
        "refusal": None,
        **changes,
    }
