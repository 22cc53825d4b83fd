"""The page about storage, and its form for limits: what would be lost is shown before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim_collector.features.storage import rules
from pudim_collector.features.storage.rules import BadLimit
from pudim_collector.features.storage.schemas import LimitsForm
from pudim_collector.features.storage.service import Loss, Storage, StorageView
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render

Page = Request[Any, Any, Any]
_WIDTH, _HEIGHT = 600, 160
_SEE_OTHER: Literal[303] = 303


class StoragePages(Controller):
    include_in_schema = False

    @get("/storage", opt=requires("installation:read"))
    async def storage_page(
        self, request: Page, storage: NamedDependency[Storage], principal: NamedDependency[Principal]
    ) -> Response[str]:
        saved = request.query_params.get("saved") == "yes"
        return await _page(request, storage, principal, saved=saved)

    @post("/storage", opt=requires("installation:write"), status_code=200)
    async def change(
        self,
        request: Page,
        storage: NamedDependency[Storage],
        principal: NamedDependency[Principal],
        data: URLEncodedBody[LimitsForm],
    ) -> Response[Any]:
        try:
            limits = data.limits()
            losses = [] if data.confirmed == "yes" else await storage.preview(limits)
        except BadLimit as refusal:
            return await _page(request, storage, principal, form=data, refusal=refusal)
        if losses:
            return await _page(request, storage, principal, form=data, losses=losses)
        await storage.change(limits, f"{principal.kind} {principal.name}")
        return Redirect("/storage?saved=yes", status_code=_SEE_OTHER)


async def _page(
    request: Page,
    storage: Storage,
    principal: Principal,
    *,
    form: LimitsForm | None = None,
    losses: list[Loss] | None = None,
    refusal: BadLimit | None = None,
    saved: bool = False,
) -> Response[str]:
    view = await storage.view()
    return render(
        request,
        "storage/storage.html",
        title="Storage",
        status=refusal.status if refusal else 200,
        storage=view,
        chart=_chart(view),
        share=_shares(view),
        values=to_builtins(form) if form else _values(view),
        errors={refusal.field: refusal.detail} if refusal else {},
        losses=losses or [],
        saved=saved,
        may_change=principal.may("installation:write"),
        say_bytes=rules.say_bytes,
        say_days=rules.say_days,
    )


def _values(view: StorageView) -> dict[str, str]:
    """The limits as they would be typed."""
    found: dict[str, str] = {}
    for tier in view.tiers:
        found[f"{tier.tier}_days"] = str(tier.limit.days)
        found[f"{tier.tier}_bytes"] = rules.type_bytes(tier.limit.bytes)
    return found


def _shares(view: StorageView) -> dict[str, float]:
    """Each tier's share of the disk; where that is another machine's, of the database."""
    whole = view.disk.total if view.disk else view.database_bytes
    return {tier.tier: tier.bytes / whole if whole else 0.0 for tier in view.tiers}


@dataclass(frozen=True)
class Column:
    """A day's bar: for each tier its top and height, bottom up; the whole in words."""

    x: float
    width: float
    parts: list[tuple[str, float, float]]
    label: str


@dataclass(frozen=True)
class Chart:
    width: int
    height: int
    columns: list[Column]
    top: int
    first: str
    last: str


def _chart(view: StorageView) -> Chart | None:
    """None before there are two days to compare."""
    days = view.history
    if len(days) < 2:  # noqa: PLR2004
        return None
    top = max(max(sum(sizes), 1) for _, *sizes, _ in days)
    step = _WIDTH / len(days)
    columns = []
    for number, (day, *sizes, _) in enumerate(days):
        parts, floor = [], float(_HEIGHT)
        for tier, size in zip(rules.TIERS, sizes, strict=True):
            height = _HEIGHT * size / top
            floor -= height
            parts.append((tier, round(floor, 2), round(height, 2)))
        said = f"{day}: {rules.say_bytes(sum(sizes))}"
        columns.append(Column(round(number * step, 2), round(max(1.0, step - 2), 2), parts, said))
    return Chart(_WIDTH, _HEIGHT, columns, top, str(days[0][0]), str(days[-1][0]))
