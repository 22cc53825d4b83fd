"""One context for each template, as the collector would give it; tests and the browser render these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pudim_collector.infra.language import SOURCE, load
from pudim_collector.infra.language_reader import Reader, teach
from pudim_web import TEMPLATES, assets
from tests.web.sample_audit import audit_entry, audit_page, receivers_page
from tests.web.sample_checks import checks_page
from tests.web.sample_hosts import NOTHING as NEVER_TOLD
from tests.web.sample_hosts import empty, groups, host
from tests.web.sample_privacy import own_page, retention_page
from tests.web.sample_teams import (
    REFUSAL,
    grants_page,
    holders_page,
    invitations_page,
    invited,
    made,
    member,
    member_page,
    roles_page,
    settings_page,
    team_page,
    teams_page,
)
from tests.web.sample_tokens import NO_TOKENS, form_page, narrowed, token, tokens_page, wrong_form

NOW = "2026-11-22T16:40:05Z"
MOMENT = datetime(2026, 11, 22, 16, 40, 5, tzinfo=UTC)
HOSTILE = '"><script>alert(1)</script>'


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=True, trim_blocks=True
    )
    teach(made)
    return made


def page(
    title: str = "Servers", path: str = "/servers", *, signed_in: bool = True, reader: Reader | None = None
) -> dict[str, Any]:
    address: Callable[[str], str] = assets().__getitem__
    return {
        "title": title,
        "path": path,
        "reader": reader or Reader(load(SOURCE)),
        "user": {"name": "Ada " + HOSTILE, "email": "ada@example.org"} if signed_in else None,
        "teams": [
            {"id": "1", "name": "Pudim", "here": True},
            {"id": "2", "name": HOSTILE, "here": False},
        ],
        "csrf_token": "csrf-1",
        "nonce": "nonce-1",
        "version": "0.1.0",
        "assets": address,
        "navigation": [
            {"label": "Servers", "href": "/servers", "icon": "server", "active": True},
            {"label": "API tokens", "href": "/account/tokens", "icon": "no-such-icon", "active": False},
        ],
        "account_tabs": [
            {"label": "Profile", "href": "/account/profile", "icon": "key", "active": True},
            {"label": "API tokens", "href": "/account/tokens", "icon": "key", "active": False},
        ],
        "team_tabs": [
            {"label": "Members", "href": "/team", "icon": "users", "active": True},
            {"label": "Roles", "href": "/team/roles", "icon": "key", "active": True},
        ],
    }


def server(state: str = "live", **changes: Any) -> dict[str, Any]:
    known = state == "live"
    return {
        "id": "00000000-0000-7000-8000-000000000001",
        "name": "web-1",
        "state": state,
        "kind": "agent",
        "last_seen_at": NOW if known else None,
        "enrolled_at": NOW,
        "agent_version": "0.1.0" if known else None,
        "os": "Debian GNU/Linux 12" if known else None,
        "architecture": "x86_64" if known else None,
        "cpu": 0.1234 if known else None,
        "memory": 0.82 if known else None,
        "disk": 0.97 if known else None,
        "tags": ["web", HOSTILE] if known else [],
        "kernel": None,
        "facts": {},
        "opened_at": NOW if known else None,
        "signs": {"containers": sign(3, 1), "units": sign(40, 2, old=True), "disks": sign(2, 0)}
        if known
        else {},
        **changes,
    }


def sign(total: int, bad: int, *, old: bool = False) -> dict[str, Any]:
    return {"total": total, "bad": bad, "received_at": NOW, "old": old}


def latest(metric: str, value: float | None, unit: str = "1", **labels: str) -> dict[str, Any]:
    return {"metric": metric, "labels": labels, "unit": unit, "time": NOW, "value": value}


LATEST = [
    latest("system.uptime", 1_035_000.0, "s"),
    latest("system.cpu.load_average.1m", 0.97, "{thread}"),
    latest("system.cpu.logical.count", 8.0, "{cpu}"),
    latest("system.cpu.utilization", None, cpu_mode=HOSTILE),
    latest("process.cpu.utilization", 0.5, name="w" * 256),
]

APP = {"secret": "JBSWY3DPEHPK3PXP", "qr": '<svg class="qr"><path d="M0 0h37v37h-37z"/></svg>'}
OWN_FACTORS: dict[str, Any] = {
    "state": {"kinds": [], "app_since": None, "recovery_codes_left": None, "demanded": False},
    "passkeys": [],
    "passkey_trouble": "",
    "passkey_elsewhere": "",
    "errors": {},
}


def session(**changes: Any) -> dict[str, Any]:
    return {
        "id": "00000000-0000-7000-8000-000000000002",
        "device": "Firefox on Linux",
        "address": "203.0.113.7",
        "created_at": NOW,
        "last_seen_at": NOW,
        "current": True,
        **changes,
    }


ENROLMENT: dict[str, Any] = {
    "token": "t",
    "command": "sh -c 'x'",
    "expires_at": NOW,
    "collector_key": "ab" * 32,
    "installs": True,
}
SENDERS = {
    "url": "http://127.0.0.1:8460",
    "defaults": {"most_series": 50_000, "most_servers": 500},
    "created": None,
    "snippets": None,
}


def sender(**changes: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "name": "prometheus lab " + HOSTILE,
        "prefix": "pud_snd_a1b2",
        "most_series": 50_000,
        "most_servers": 500,
        "created_at": NOW,
        "used_at": NOW,
        "series": 49_999,
        "refused_points": 31_000,
        "refused_at": NOW,
        "refused_said": f"31000 refused, series_cap: 'http_requests_total' {HOSTILE}",
        **changes,
    }


def tier(name: str, words: str, **changes: Any) -> dict[str, Any]:
    return {
        "tier": name,
        "name": words,
        "bytes": 3 * 2**30,
        "rows": 4_800,
        "samples": 207_360_000,
        "bytes_per_sample": 0.56,
        "oldest": MOMENT - timedelta(days=7),
        "newest": MOMENT,
        "days": 7.2,
        "limit": {"days": 7, "bytes": None},
        "daily_bytes": 2**28,
        "forecast": {"days": 5.2, "bytes": 2**32, "in_days": 2.5, "bound": "bytes"},
        **changes,
    }


EMPTY = {
    "bytes": 98_304,
    "rows": 0,
    "samples": 0,
    "oldest": None,
    "newest": None,
    "days": 0.0,
    "forecast": None,
}
NOTHING = EMPTY | {"bytes_per_sample": None, "daily_bytes": None}
NAMES = {"raw": "Raw frames", "minute": "Minutes", "hour": "Hours"}


def storage(changes: dict[str, dict[str, Any]], **known: Any) -> dict[str, Any]:
    """The page's context; `changes` of each tier."""
    return {
        "storage": {
            "now": MOMENT,
            "tiers": [tier(name, words, **changes.get(name, {})) for name, words in NAMES.items()],
            "backend": "partitions",
            "edition": {"postgresql": "18.4", "timescaledb": None, "licence": None},
            "database_bytes": 10 * 2**30,
            "disk": {"free": 2**36, "total": 2**38},
            "disk_full_in": None,
            "others": {"Audit log": 1_234_567},
            "waiting": {"units": 1, "notes": 3, "rolled_until": MOMENT},
            **known,
        },
        "share": dict.fromkeys(NAMES, 0.0115),
        "chart": None,
        "values": {f"{name}_{one}": "7" for name in NAMES for one in ("days", "bytes")},
        "errors": {},
        "losses": [],
        "saved": False,
        "may_change": True,
        "say_bytes": "{:,} bytes".format,
        "say_days": "{:.1f} days".format,
    }


GROWTH = {
    "width": 600,
    "height": 160,
    "columns": [{"x": 0, "width": 298, "parts": [("raw", 60, 100), ("minute", 40, 20)], "label": "Monday"}],
    "top": 2**31,
    "first": "2026-11-20",
    "last": "2026-11-22",
}
CAPPED = {"limit": {"days": 7, "bytes": 2**32}}
ERROR = {"status": 404, "title": "Not found", "detail": HOSTILE, "hint": "", "code": "not_found"}


@dataclass(frozen=True)
class Sample:
    template: str
    context: dict[str, Any] = field(default_factory=dict)
    signed_in: bool = True

    def render(self, reader: Reader | None = None) -> str:
        shell = page(signed_in=self.signed_in, reader=reader)
        return environment().get_template(self.template).render(page=shell, **self.context)


def strip_day(number: int, state: str, **known: Any) -> dict[str, Any]:
    """The day so many days ago."""
    day = date(2026, 11, 22) - timedelta(days=number)
    return {
        "day": day.isoformat(),
        "title": f"{day:%a} {day.day} {day:%b %Y}",
        "state": state,
        "percent": None,
        "expected": 0,
        "stored": 0,
        "late": 0,
        "gaps": [],
        "gaps_left_out": 0,
        **known,
    }


def strip_gap(reason: str, missing: int, late: int = 0) -> dict[str, Any]:
    return {"start": "10:00", "end": "11:20:10", "reason": reason, "missing": missing, "late": late}


WHOLE = {"percent": 100.0, "expected": 8640, "stored": 8640}
HALF = {"percent": 50.0, "expected": 8640, "stored": 4320}
REASONS = (
    "agent_down",
    "host_down",
    "network",
    "collector_down",
    "spool_overflow",
    "clock_jump",
    "paused",
    "unknown",
)
ODD_DAYS = {
    80: strip_day(80, "unknown"),
    21: strip_day(21, "late", **WHOLE | {"late": 480}, gaps=[strip_gap("collector_down", 0, 480)]),
    14: strip_day(14, "partial", **HALF, gaps=[strip_gap(one, 540) for one in REASONS], gaps_left_out=7),
    9: strip_day(9, "missing", percent=0.0, expected=8640, gaps=[strip_gap("host_down", 8640)]),
    0: strip_day(0, "no_contact", **HALF, gaps=[strip_gap("no_contact", 4320)]),
}
STRIP = {
    "days": [
        ODD_DAYS.get(number)
        or (strip_day(number, "complete", **WHOLE) if number < 83 else strip_day(number, "not_expected"))
        for number in range(89, -1, -1)
    ],
    "month": 96.12,
    "quarter": 98.0,
}
NO_STRIP = {"days": [strip_day(0, "no_contact", expected=12, percent=0.0)], "month": None, "quarter": None}


EMBEDDED = [("checks", "Checks"), ("commands", "Commands")]


def server_page(said: dict[str, Any], **known: Any) -> Sample:
    charts = groups("hw.temperature", "zoo.animals", HOSTILE)
    context = {
        "server": server(**known),
        "latest": LATEST,
        "strip": STRIP,
        "host": said,
        "groups": charts,
        "embedded": EMBEDDED,
    }
    return Sample("metrics/server.html", context)


def command(status: str, **changed: Any) -> dict[str, Any]:
    return {
        "id": "00000000-0000-7000-8000-00000000000c",
        "action": "tail_log",
        "args": {"path": "/var/log/" + HOSTILE, "lines": 5},
        "actor": "ada@example.org" + HOSTILE,
        "status": status,
        "asked_at": NOW,
        "sent_at": None,
        "ended_at": None,
        "code": None,
        "detail": None,
        "output": None,
        "truncated": None,
        **changed,
    }


def commands(policy: dict[str, Any] | None, *items: dict[str, Any], **changed: Any) -> dict[str, Any]:
    known = {"may_run": True, "policy": policy, "policy_at": NOW, "items": list(items), "broken": None}
    known["offered"] = "0.9.0"
    return {"server": server(), "commands": known | changed, "refusal": None}


POLICY: dict[str, Any] = {
    "actions": ["refresh", "restart_unit", "self_update", "tail_log"],
    "frozen": False,
    "digest": "",
    "refused": None,
    "reason": None,
    "bounds": {"tail_log": {"files": ["/var/log/syslog", HOSTILE]}, "restart_unit": {"units": [HOSTILE]}},
}
KNOWN = {
    "code": "rate_limited",
    "status": 429,
    "phrase": "Too Many Requests",
    "sentence": "A rate limit is used up.",
    "hint": "Wait as long as Retry-After says.",
}
FORM: dict[str, Any] = {"errors": {}, "values": {}}
HERE = {"url": "http://127.0.0.1:8460", "reach": "this host"}
PROFILE: dict[str, Any] = {
    "values": {"name": "Ada", "language": "", "time_zone": ""},
    "errors": {},
    "languages": [("en", "English"), ("pt-BR", "Português (Brasil)")],
    "zones": ["UTC", "Europe/Berlin"],
    "now": NOW,
    "saved": False,
}
SAMPLES = {
    "team": Sample("teams/team.html", team_page()),
    "team, refused": Sample("teams/team.html", team_page(refusal=REFUSAL)),
    "team of one": Sample("teams/team.html", team_page(members=[member(1, "owner")])),
    "team of a viewer": Sample("teams/team.html", team_page(manages=False, is_only_owner=False)),
    "team's settings": Sample("teams/settings.html", settings_page()),
    "team's settings, refused": Sample("teams/settings.html", settings_page(servers=0, refusal=REFUSAL)),
    "team's settings for a viewer": Sample("teams/settings.html", settings_page(may=False)),
    "own teams": Sample("teams/own.html", teams_page()),
    "own teams, none": Sample("teams/own.html", teams_page(may_create=False)),
    "own teams, refused": Sample("teams/own.html", teams_page(refusal=REFUSAL)),
    "invitations": Sample("teams/invitations.html", invitations_page(made=made(mailed=True))),
    "invitations, no mail": Sample(
        "teams/invitations.html", invitations_page(made=made(mailed=False), sends_mail=False)
    ),
    "invitations, none": Sample("teams/invitations.html", invitations_page(invitations=[], refusal=REFUSAL)),
    "own data": Sample("privacy/own.html", own_page()),
    "own data, wrong address": Sample("privacy/own.html", own_page(email=HOSTILE)),
    "own data, last owner": Sample("privacy/own.html", own_page(form=HOSTILE)),
    "retention": Sample("privacy/retention.html", retention_page()),
    "retention, out of bounds": Sample("privacy/retention.html", retention_page(wrong=True)),
    "grants": Sample("teams/grants.html", grants_page()),
    "grants, none": Sample("teams/grants.html", grants_page(grants=[], servers=[], tags=[], refusal=REFUSAL)),
    "grants of a viewer": Sample("teams/grants.html", grants_page(may_manage=False)),
    "roles": Sample("teams/roles.html", roles_page()),
    "roles of a viewer": Sample("teams/roles.html", roles_page(may_change=False, refusal=REFUSAL)),
    "member": Sample("teams/member.html", member_page()),
    "holders": Sample("teams/holders.html", holders_page()),
    "holders, none": Sample("teams/holders.html", holders_page(holders=[])),
    "invited": Sample("teams/invited.html", invited(), signed_in=False),
    "invited, refused": Sample(
        "teams/invited.html", invited(by="", errors={"password": HOSTILE}), signed_in=False
    ),
    "invited, known": Sample("teams/invited.html", invited(has_account=True), signed_in=False),
    "invited, signed in": Sample("teams/invited.html", invited(signed_in_as=HOSTILE, is_right=True)),
    "invited, another": Sample("teams/invited.html", invited(signed_in_as=HOSTILE, refusal=REFUSAL)),
    "commands": Sample(
        "commands/server.html",
        commands(
            POLICY,
            command("waiting"),
            command("expired", sent_at=NOW),
            command("refused", code="frozen", detail=HOSTILE),
            command("done", output="one\n" + HOSTILE, truncated=True),
            broken={"at": NOW, "said": HOSTILE},
        )
        | {"refusal": HOSTILE},
    ),
    "no commands": Sample("commands/server.html", commands(None)),
    "commands, refused policy": Sample(
        "commands/server.html",
        commands(POLICY | {"actions": [], "refused": "policy_owner", "reason": HOSTILE}),
    ),
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
    "prove": Sample("sessions/prove.html", {"errors": {}, "next": "/account/sessions"}),
    "prove, wrong": Sample("sessions/prove.html", {"errors": {"form": HOSTILE}, "next": "/" + HOSTILE}),
    "sessions": Sample(
        "sessions/list.html", {"sessions": [session(), session(current=False, address=HOSTILE)]}
    ),
    "password": Sample(
        "credentials/own.html", {"email": HOSTILE, "sends_mail": True, "sent_to": HOSTILE, "errors": {}}
    ),
    "password, no mail": Sample(
        "credentials/own.html",
        {
            "email": HOSTILE,
            "sends_mail": False,
            "sent_to": "",
            "errors": {"current": HOSTILE, "email": HOSTILE},
        },
    ),
    "confirm address": Sample("credentials/confirm_email.html", {"link": HOSTILE}),
    "lost": Sample(
        "credentials/lost.html", {"sends_mail": True, "asked": False, "errors": {}}, signed_in=False
    ),
    "lost, asked": Sample(
        "credentials/lost.html", {"sends_mail": True, "asked": True, "errors": {}}, signed_in=False
    ),
    "lost, no mail": Sample(
        "credentials/lost.html",
        {"sends_mail": False, "asked": False, "errors": {"form": HOSTILE}},
        signed_in=False,
    ),
    "reset": Sample("credentials/reset.html", {"errors": {"password": HOSTILE}}, signed_in=False),
    "second step": Sample(
        "factors/second_step.html",
        {
            "kinds": ["passkey", "totp"],
            "passkey_trouble": "",
            "passkey_elsewhere": "",
            "errors": {"form": HOSTILE},
        },
        signed_in=False,
    ),
    "second step, no passkeys here": Sample(
        "factors/second_step.html",
        {"kinds": ["passkey"], "passkey_trouble": "", "passkey_elsewhere": HOSTILE, "errors": {}},
        signed_in=False,
    ),
    "enrol": Sample("factors/enrol.html", {"lacking": True, "passkey_trouble": "", "passkey_elsewhere": ""}),
    "enrol, no passkeys here": Sample(
        "factors/enrol.html", {"lacking": True, "passkey_trouble": "", "passkey_elsewhere": HOSTILE}
    ),
    "enrol, no codes yet": Sample(
        "factors/enrol.html", {"lacking": False, "passkey_trouble": "", "passkey_elsewhere": ""}
    ),
    "app": Sample("factors/app.html", {**APP, "back": "/account/factors", "errors": {"form": HOSTILE}}),
    "codes": Sample("factors/codes.html", {"codes": ["ABCD-1234-WXYZ"] * 10, "next": "/"}),
    "codes of before": Sample("factors/codes.html", {"codes": [], "next": "/"}),
    "no factors": Sample("factors/own.html", OWN_FACTORS),
    "factors": Sample(
        "factors/own.html",
        {
            "state": {"kinds": ["totp"], "app_since": NOW, "recovery_codes_left": 9, "demanded": True},
            "passkeys": [{"id": "1", "name": HOSTILE, "created_at": NOW, "last_used_at": None}],
            "passkey_trouble": "",
            "passkey_elsewhere": HOSTILE,
            "errors": {"form": HOSTILE},
        },
    ),
    "error's code": Sample("errors/code.html", {"known": KNOWN}, signed_in=False),
    "errors": Sample("errors/list.html", {"errors": [KNOWN]}),
    "addresses": Sample(
        "addresses/list.html",
        {"errors": {}, "networks": "203.0.113.0/24\n2001:db8::/32", "yours": "203.0.113.7"},
    ),
    "addresses that lock out": Sample(
        "addresses/list.html",
        {
            "errors": {"confirm": "Your own address, 198.51.100.1, is not on this list."},
            "networks": "203.0.113.0/24",
            "yours": None,
        },
    ),
    "no tokens": Sample("tokens/list.html", NO_TOKENS),
    "no services": Sample("tokens/list.html", NO_TOKENS | {"may_manage": True}),
    "tokens": Sample("tokens/list.html", tokens_page()),
    "new token": Sample("tokens/form.html", form_page()),
    "new service, wrong": Sample("tokens/form.html", wrong_form()),
    "token": Sample("tokens/form.html", form_page(narrowed(), may="chosen", scopes=["servers:read"])),
    "somebody's token": Sample("tokens/form.html", form_page(token()) | {"is_own": False}),
    "profile": Sample("profile/profile.html", PROFILE | {"saved": True}),
    "profile, wrong": Sample(
        "profile/profile.html",
        PROFILE
        | {
            "values": {"name": HOSTILE, "language": HOSTILE, "time_zone": "Europe/Berlin"},
            "errors": {"name": "Too long.", "time_zone": HOSTILE},
        },
    ),
    "no servers": Sample("servers/list.html", {"servers": []}),
    "servers": Sample(
        "servers/list.html",
        {"servers": [server(state, name=HOSTILE) for state in ("live", "silent", "waiting", "revoked")]},
    ),
    "add": Sample("servers/add.html", {**FORM, **HERE, "enrolment": None}),
    "add, with line": Sample("servers/add.html", {**FORM, **HERE, "enrolment": ENROLMENT}),
    "add, in the open": Sample(
        "servers/add.html",
        {**FORM, "url": "http://" + HOSTILE, "reach": "plain", "enrolment": ENROLMENT | {"installs": False}},
    ),
    "server": server_page(host()),
    "server, hostile": server_page(host(HOSTILE), name=HOSTILE, os=HOSTILE),
    "server, endless names": server_page(host("endless" * 1_500)),
    "server, old words": server_page(host(old=True)),
    "server, nothing there": server_page(empty()),
    "server, never told": server_page(NEVER_TOLD),
    "server, from outside": Sample(
        "metrics/server.html",
        {
            "server": server(kind="outside", name=HOSTILE, os=None, agent_version=None, architecture=None),
            "host": NEVER_TOLD,
            "groups": [],
            "embedded": [],
            "latest": [
                latest("up", 1.0, "", job=HOSTILE, **{"pudim.sender": "lab"}),
                latest(HOSTILE, None, "", **{"pudim.sender": "lab"}),
            ],
        },
    ),
    "server, waiting": Sample(
        "metrics/server.html",
        {
            "server": server("waiting"),
            "latest": [],
            "strip": NO_STRIP,
            "host": NEVER_TOLD,
            "groups": [],
            "embedded": [],
        },
    ),
    "checks": Sample("uptime/checks.html", checks_page(server(), HOSTILE, NOW)),
    "no checks": Sample(
        "uptime/checks.html", checks_page(server(), HOSTILE, NOW, checks=[], may_change=False)
    ),
    "checks, refused": Sample(
        "uptime/checks.html",
        checks_page(
            server(),
            HOSTILE,
            NOW,
            values={"kind": "http", "name_of_check": HOSTILE, "url": HOSTILE, "body": HOSTILE},
            errors={"url": HOSTILE, "name": "Too long.", "form": HOSTILE},
        ),
    ),
    "no senders": Sample("senders/list.html", {**FORM, **SENDERS, "senders": []}),
    "senders": Sample(
        "senders/list.html",
        {
            **SENDERS,
            "errors": {"most_series": "Too many."},
            "values": {"name": HOSTILE, "most_series": "x"},
            "senders": [
                sender(),
                sender(id="2", series=0, used_at=None, refused_points=0, refused_said=None),
            ],
            "created": {"name": HOSTILE, "token": "pud_snd_secret"},
            "snippets": {"prometheus": "a:\n  b", "collector": HOSTILE, "environment": "export X=1"},
        },
    ),
    "storage, new": Sample(
        "storage/storage.html",
        storage(
            dict.fromkeys(NAMES, NOTHING),
            disk=None,
            waiting={"units": 0, "notes": 0, "rolled_until": None},
        ),
    ),
    "storage": Sample(
        "storage/storage.html",
        {
            **storage(dict.fromkeys(NAMES, CAPPED), disk_full_in=12.5),
            "chart": GROWTH,
            "errors": {"raw_bytes": "Say a size."},
            "losses": [{"name": "Raw frames", "days": 2.0, "bytes": 2**30, "until": MOMENT}],
        },
    ),
    "audit, new": Sample("audit/list.html", audit_page([])),
    "receivers, none": Sample("receivers/list.html", receivers_page(some=False)),
    "receivers": Sample("receivers/list.html", receivers_page(some=True)),
    "audit": Sample("audit/list.html", audit_page([audit_entry(), audit_entry(result="refused")])),
    "error": Sample("error.html", {"error": ERROR}),
    "error, signed out": Sample("error.html", {"error": {**ERROR, "hint": "Sign in."}}, signed_in=False),
}
