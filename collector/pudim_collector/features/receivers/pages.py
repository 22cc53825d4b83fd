"""The page of the audit log's receivers: what each has, and a form for one more."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.receivers import rules
from pudim_collector.features.receivers.queries import Receiver
from pudim_collector.features.receivers.rules import BadReceiver
from pudim_collector.features.receivers.schemas import AuditReceiver, ReceiverForm
from pudim_collector.features.receivers.service import Receivers, TooManyReceivers
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render

Page = Request[Any, Any, Any]
_SEE_OTHER: Literal[303] = 303
_PATH = "/audit/receivers"


class ReceiverPages(Controller):
    include_in_schema = False
    path = _PATH

    @get(opt=requires("installation:audit"))
    async def every(
        self, request: Page, receivers: NamedDependency[Receivers], principal: NamedDependency[Principal]
    ) -> Response[str]:
        return await _page(request, receivers, principal)

    @post(opt=requires("installation:audit"), status_code=200)
    async def add(
        self,
        request: Page,
        receivers: NamedDependency[Receivers],
        principal: NamedDependency[Principal],
        data: URLEncodedBody[ReceiverForm],
    ) -> Response[Any]:
        try:
            await receivers.add(principal.team_id, data.name, data.kind, data.settings())
        except (BadReceiver, TooManyReceivers) as refusal:
            return await _page(request, receivers, principal, refusal=refusal, typed=to_builtins(data))
        return Redirect(_PATH, status_code=_SEE_OTHER)

    @post("/{receiver_id:uuid}/remove", opt=requires("installation:audit"), status_code=_SEE_OTHER)
    async def remove(
        self,
        receivers: NamedDependency[Receivers],
        principal: NamedDependency[Principal],
        receiver_id: FromPath[UUID],
    ) -> Redirect:
        await receivers.remove(principal.team_id, receiver_id)
        return Redirect(_PATH, status_code=_SEE_OTHER)


async def _page(
    request: Page,
    receivers: Receivers,
    principal: Principal,
    *,
    refusal: PudimError | None = None,
    typed: dict[str, str] | None = None,
) -> Response[str]:
    return render(
        request,
        "receivers/list.html",
        title="Where entries are sent",
        status=refusal.status if refusal else 200,
        kinds=list(rules.KINDS.items()),
        receivers=[_receiver(one) for one in await receivers.all(principal.team_id)],
        errors={_field_of(refusal): refusal.detail} if refusal else {},
        values=typed or {},
    )


def _receiver(one: Receiver) -> dict[str, Any]:
    told: dict[str, Any] = to_builtins(AuditReceiver.of(one))
    return {**told, "words": rules.KINDS.get(one.kind, one.kind)}


def _field_of(refusal: PudimError) -> str:
    """Host, port and URL are typed into one field."""
    if not isinstance(refusal, BadReceiver):
        return "form"
    return "where" if refusal.field in {"host", "port", "url"} else refusal.field
