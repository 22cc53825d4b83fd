"""One context for each template, as the collector would give it; tests and the browser render these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pudim_web import TEMPLATES, assets

NOW = "2026-11-22T16:40:05Z"
HOSTILE = '"><script>alert(1)</script>'


def environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )


def page(title: str = "Servers", path: str = "/servers", *, signed_in: bool = True) -> dict[str, Any]:
    address: Callable[[str], str] = assets().__getitem__
    return {
        "title": title,
        "path": path,
        "user": {"name": "Ada " + HOSTILE, "email": "ada@example.org"} if signed_in else None,
        "csrf_token": "csrf-1",
        "nonce": "nonce-1",
        "version": "0.1.0",
        "assets": address,
        "navigation": [
            {"label": "Servers", "href": "/servers", "icon": "server", "active": True},
            {"label": "API tokens", "href": "/account/tokens", "icon": "no-such-icon", "active": False},
        ],
    }


def server(state: str = "live", **changes: Any) -> dict[str, Any]:
    known = state == "live"
    return {
        "id": "00000000-0000-7000-8000-000000000001",
        "name": "web-1",
        "state": state,
        "last_seen_at": NOW if known else None,
        "enrolled_at": NOW,
        "agent_version": "0.1.0" if known else None,
        "os": "Debian GNU/Linux 12" if known else None,
        "architecture": "x86_64" if known else None,
        "cpu": 0.1234 if known else None,
        "memory": 0.82 if known else None,
        "disk": 0.97 if known else None,
        **changes,
    }


def latest(metric: str, value: float | None, unit: str = "1", **labels: str) -> dict[str, Any]:
    return {"metric": metric, "labels": labels, "unit": unit, "time": NOW, "value": value}


LATEST = [
    latest("system.uptime", 1_035_000.0, "s"),
    latest("system.cpu.load_average.1m", 0.97, "{thread}"),
    latest("system.cpu.logical.count", 8.0, "{cpu}"),
    latest("system.cpu.utilization", None, cpu_mode=HOSTILE),
    latest("process.cpu.utilization", 0.5, name="w" * 256),
]
TOKEN = {
    "id": "1",
    "name": "backup " + HOSTILE,
    "prefix": "pudim_a1b2",
    "created_at": NOW,
    "last_used_at": None,
    "expires_at": NOW,
}
ENROLMENT = {"token": "t", "command": "sh -c 'x'", "expires_at": NOW, "collector_key": "ab" * 32}
ERROR = {"status": 404, "title": "Not found", "detail": HOSTILE, "hint": "", "code": "not_found"}


@dataclass(frozen=True)
class Sample:
    template: str
    context: dict[str, Any] = field(default_factory=dict)
    signed_in: bool = True

    def render(self) -> str:
        shell = page(signed_in=self.signed_in)
        return environment().get_template(self.template).render(page=shell, **self.context)


FORM: dict[str, Any] = {"errors": {}, "values": {}}
HERE = {"url": "http://127.0.0.1:8460", "reach": "this host"}
SAMPLES = {
    "set up": Sample("accounts/setup.html", {**FORM, "shortest_password": 12}, signed_in=False),
    "set up, wrong": Sample(
        "accounts/setup.html",
        {
            "shortest_password": 12,
            "errors": {"password": "Too short.", "form": "No."},
            "values": {"name": HOSTILE, "email": "a@b"},
        },
        signed_in=False,
    ),
    "sign in": Sample("accounts/sign_in.html", {**FORM, "next": "/servers"}, signed_in=False),
    "no tokens": Sample("accounts/tokens.html", {**FORM, "tokens": [], "created": None}),
    "tokens": Sample(
        "accounts/tokens.html",
        {**FORM, "tokens": [TOKEN], "created": {"name": HOSTILE, "token": "pudim_secret"}},
    ),
    "no servers": Sample("servers/list.html", {"servers": []}),
    "servers": Sample(
        "servers/list.html",
        {"servers": [server(state, name=HOSTILE) for state in ("live", "silent", "waiting", "revoked")]},
    ),
    "add": Sample("servers/add.html", {**FORM, **HERE, "enrolment": None}),
    "add, with line": Sample("servers/add.html", {**FORM, **HERE, "enrolment": ENROLMENT}),
    "add, in the open": Sample(
        "servers/add.html", {**FORM, "url": "http://" + HOSTILE, "reach": "plain", "enrolment": ENROLMENT}
    ),
    "server": Sample("metrics/server.html", {"server": server(), "latest": LATEST}),
    "server, waiting": Sample("metrics/server.html", {"server": server("waiting"), "latest": []}),
    "error": Sample("error.html", {"error": ERROR}),
    "error, signed out": Sample("error.html", {"error": {**ERROR, "hint": "Sign in."}}, signed_in=False),
}
