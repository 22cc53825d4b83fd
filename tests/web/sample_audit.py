"""The audit log's page, as the collector would give it."""

from __future__ import annotations

from typing import Any

HOSTILE = '"><script>alert(1)</script>'
_WHEN = "2026-11-22T16:40:05.000001+00:00"


def audit_entry(result: str = "done") -> dict[str, Any]:
    return {
        "sequence": 7,
        "at": _WHEN,
        "result": result,
        "action": "server.changed",
        "words": "renamed or tagged a server",
        "actor_kind": "user",
        "actor_id": "00000000-0000-7000-8000-000000000001",
        "actor_name": "Ada " + HOSTILE,
        "target_kind": "server",
        "target_id": "00000000-0000-7000-8000-000000000002",
        "target_name": "web-1 " + HOSTILE,
        "address": "203.0.113.7",
        "user_agent": "curl " + HOSTILE,
        "credential": "00000000-0000-7000-8000-000000000003",
        "request_id": "00000000-0000-7000-8000-000000000004",
        "hash": "ab" * 32,
        "differences": [
            {"field": "name", "before": "web-1", "after": HOSTILE},
            {"field": "tags", "before": None, "after": "prod"},
        ],
        "changes": True,
        "by_actor": "/audit?actor=1",
        "by_target": "/audit?target=2",
        "by_address": "/audit?address=203.0.113.7",
        "by_action": "/audit?action=server.changed",
        "own": "/audit/7",
    }


def audit_page(entries: list[dict[str, Any]]) -> dict[str, Any]:
    bar = {"x": 0, "y": 10, "width": 9, "height": 50, "count": 2}
    bar |= {
        "since": "2026-11-22T16:00:00+00:00",
        "until": "2026-11-22T17:00:00+00:00",
        "href": "/audit?since=2026-11-22T16:00Z",
    }
    names = ("q", "actor", "action", "target", "result", "address", "since", "until", "of")
    return {
        "entries": entries,
        "older": "/audit?before=7" if entries else None,
        "asked": {**dict.fromkeys(names, HOSTILE if entries else ""), "of": "team"},
        "only": None,
        "narrowed": False,
        "chart": [bar] if entries else [],
        "total": len(entries),
        "actions": [("server.changed", "renamed or tagged a server")],
        "exports": {"csv": "/api/v2/audit/export/csv?", "jsonl": "/api/v2/audit/export/jsonl?"},
        "may_export": True,
        "may_manage": True,
        "operates": True,
        "days": 400,
        "size": 12_345_678,
        "errors": {"days": "Too few."} if entries else {},
        "values": {},
    }


def receivers_page(*, some: bool) -> dict[str, Any]:
    receiver = {
        "id": "00000000-0000-7000-8000-000000000005",
        "name": "log host " + HOSTILE,
        "kind": "syslog_tls",
        "words": "Syslog over TLS",
        "address": "logs.example.org:6514",
        "sequence": 7,
        "sent_at": _WHEN,
        "failing_since": None,
        "last_error": None,
    }
    failing = {**receiver, "failing_since": _WHEN, "last_error": HOSTILE}
    return {
        "kinds": [("syslog_tls", "Syslog over TLS"), ("webhook", "Webhook")],
        "receivers": [receiver, failing] if some else [],
        "errors": {"where": "A port is a number."} if some else {},
        "values": {},
    }
