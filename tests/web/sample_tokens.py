"""What the pages of API tokens are given, as plain as the collector gives it."""

from typing import Any

NOW = "2026-11-22T16:40:05Z"
HOSTILE = '"><script>alert(1)</script>'
NO_TOKENS: dict[str, Any] = {
    "own": [],
    "services": [],
    "others": [],
    "may_manage": False,
    "created": None,
    "address": "",
}
GROUPS = {
    "servers": [{"name": "servers:read", "allows": "See servers and their metrics", "on_server": True}],
    "team": [{"name": "team:read", "allows": HOSTILE, "on_server": False}],
}


def token(**changes: Any) -> dict[str, Any]:
    return {
        "id": "00000000-0000-7000-8000-000000000003",
        "kind": "personal",
        "name": "backup " + HOSTILE,
        "prefix": "pud_pat_a1b2",
        "role": "owner",
        "maker": "Ada " + HOSTILE,
        "created_at": NOW,
        "last_used_at": None,
        "last_used_address": None,
        "expires_at": NOW,
        "expires_soon": False,
        "previous_ends_at": None,
        "scopes": None,
        "only_servers": None,
        "only_tags": None,
        "networks": [],
        "ended": False,
        "allows": None,
        "servers": [],
        **changes,
    }


def narrowed(**changes: Any) -> dict[str, Any]:
    return token(
        scopes=["servers:read"],
        allows=["See servers and their metrics", HOSTILE, "Add servers"],
        servers=[HOSTILE],
        only_tags=[HOSTILE],
        networks=["203.0.113.0/24"],
        expires_soon=True,
        last_used_at=NOW,
        last_used_address="2001:db8::1",
        previous_ends_at=NOW,
        **changes,
    )


def tokens_page(**changes: Any) -> dict[str, Any]:
    return {
        "own": [token(), narrowed(ended=True)],
        "services": [narrowed(kind="service"), token(kind="service", maker=None, expires_at=None)],
        "others": [token(allows=[HOSTILE])],
        "may_manage": True,
        "created": {"name": HOSTILE, "token": "pudim_secret"},
        "address": "https://pudim.example.org",
        **changes,
    }


def form_page(changed: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    return {
        "token": changed,
        "is_own": True,
        "values": {
            "name": "",
            "kind": "personal",
            "may": "all",
            "scopes": [],
            "reach": "all",
            "servers": [],
            "tags": [],
            "expires_in_days": "90",
            "addresses": "",
            "overlap": "0",
            **values,
        },
        "may_manage": True,
        "groups": GROUPS,
        "servers": [{"id": "1", "name": HOSTILE}],
        "tags": ["web", HOSTILE],
        "yours": "203.0.113.7",
        "errors": {},
    }


def wrong_form() -> dict[str, Any]:
    fields = ("form", "name", "scopes", "reach", "expires", "networks")
    return form_page(kind="service", may="chosen", reach="some", name=HOSTILE) | {
        "errors": dict.fromkeys(fields, HOSTILE)
    }
