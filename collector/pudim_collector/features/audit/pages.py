"""The page of the audit log: search as one types, entries over time to click in, details that fold open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.audit import rules
from pudim_collector.features.audit.rules import BadDays, BadSearch, Bar, Linked, Search
from pudim_collector.features.audit.schemas import AuditEntry, DaysForm, chain_of, search_of
from pudim_collector.features.audit.service import AuditLog, words_of
from pudim_collector.infra.auditing import actions
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render

Page = Request[Any, Any, Any]
FILTERS = ("q", "actor", "action", "target", "result", "address", "since", "until", "of")
SHOWN = 50
_SEE_OTHER: Literal[303] = 303
_WIDTH, _HEIGHT, _LEAST = 600, 60, 2


class AuditPages(Controller):
    include_in_schema = False
    path = "/audit"

    @get(opt=requires("audit:read"))
    async def entries(
        self, request: Page, audit: NamedDependency[AuditLog], principal: NamedDependency[Principal]
    ) -> Response[str]:
        return await _page(request, audit, principal)

    @get("/{sequence:int}", opt=requires("audit:read"))
    async def entry(
        self,
        request: Page,
        audit: NamedDependency[AuditLog],
        principal: NamedDependency[Principal],
        sequence: FromPath[int],
    ) -> Response[str]:
        return await _page(request, audit, principal, only=sequence)

    @post("/retention", opt=requires("audit:manage"), status_code=200)
    async def keep(
        self,
        request: Page,
        audit: NamedDependency[AuditLog],
        principal: NamedDependency[Principal],
        data: URLEncodedBody[DaysForm],
    ) -> Response[Any]:
        typed = data.days.strip()
        try:
            await audit.keep_for(principal.team_id, int(typed) if typed.isascii() and typed.isdigit() else 0)
        except BadDays as refusal:
            return await _page(request, audit, principal, refusal=refusal, typed={"days": data.days})
        return Redirect("/audit", status_code=_SEE_OTHER)


@dataclass(frozen=True)
class Column:
    """A bar of the chart, which leads to its span of time."""

    x: float
    y: float
    width: float
    height: float
    count: int
    since: str
    until: str
    href: str


async def _page(
    request: Page,
    audit: AuditLog,
    principal: Principal,
    *,
    only: int | None = None,
    refusal: PudimError | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    asked = {name: request.query_params.get(name, "") for name in FILTERS}
    asked["of"] = "installation" if asked["of"] == "installation" else "team"
    chain, search = chain_of(principal, asked["of"]), Search()
    errors = {_field_of(refusal): refusal.detail} if refusal else {}
    try:
        search = search_of(**asked)
    except BadSearch as wrong:
        errors[wrong.field], refusal = wrong.detail, wrong
    if only is None:
        found = await audit.page(chain, search, _number(request.query_params.get("before", "")), SHOWN)
    else:
        found = [await audit.one(chain, only)]
    more = found[SHOWN - 1].sequence if len(found) > SHOWN else None
    bars = await audit.bars(chain, search) if only is None else []
    operates = principal.may("installation:audit")
    return render(
        request,
        "audit/list.html",
        title="Audit log",
        status=refusal.status if refusal else 200,
        entries=[_entry(one, asked) for one in found[:SHOWN]],
        older=_address(asked, before=str(more)) if more else None,
        asked=asked,
        only=only,
        narrowed=any(value for name, value in asked.items() if name != "of"),
        chart=_chart(bars, asked),
        total=sum(bar.count for bar in bars),
        actions=[(one.name, one.words) for one in actions().values()],
        exports={form: f"/api/v2/audit/export/{form}?{_query(asked)}" for form in ("csv", "jsonl")},
        may_export=principal.may("audit:export"),
        may_manage=principal.may("audit:manage"),
        operates=operates,
        days=await audit.days(principal.team_id),
        size=await audit.size(),
        errors=errors,
        values=typed or {},
    )


def _entry(one: Linked, asked: dict[str, str]) -> dict[str, Any]:
    told = to_builtins(AuditEntry.of(one, words_of(one)))
    return {
        **told,
        "differences": rules.differences(one.entry.before, one.entry.after),
        "changes": one.entry.before is not None,
        "by_actor": _address(asked, actor=one.entry.actor_id or one.entry.actor_name),
        "by_target": _address(asked, target=one.entry.target_id or one.entry.target_name or ""),
        "by_address": _address(asked, address=one.entry.address),
        "by_action": _address(asked, action=one.entry.action),
        "own": f"/audit/{one.sequence}" + ("?of=installation" if asked["of"] == "installation" else ""),
    }


def _chart(bars: list[Bar], asked: dict[str, str]) -> list[Column]:
    top = max((bar.count for bar in bars), default=0)
    if not top:
        return []
    step, columns = _WIDTH / len(bars), []
    for number, bar in enumerate(bars):
        height = max(_LEAST, _HEIGHT * bar.count / top) if bar.count else 0
        columns.append(
            Column(
                round(number * step, 2),
                round(_HEIGHT - height, 2),
                round(max(1.0, step - 1), 2),
                round(height, 2),
                bar.count,
                bar.since.isoformat(),
                bar.until.isoformat(),
                _address(asked, since=f"{bar.since:%Y-%m-%dT%H:%MZ}", until=f"{bar.until:%Y-%m-%dT%H:%MZ}"),
            )
        )
    return columns


def _query(asked: dict[str, str], **changed: str) -> str:
    return urlencode({name: value for name, value in {**asked, **changed}.items() if value})


def _address(asked: dict[str, str], **changed: str) -> str:
    return f"/audit?{_query(asked, **changed)}"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - a bigint's digits


def _field_of(refusal: PudimError) -> str:
    return "days" if isinstance(refusal, BadDays) else "form"
