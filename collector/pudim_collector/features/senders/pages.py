"""The page of senders: what each sends, and a token with the lines that use it."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec import to_builtins

from pudim_collector.features.senders.rules import (
    DEFAULT_SERIES,
    DEFAULT_SERVERS,
    SenderError,
    caps_of,
    snippets,
)
from pudim_collector.features.senders.schemas import Sender, SenderForm
from pudim_collector.features.senders.service import NewSender, Senders
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.pages import render

Asked: TypeAlias = Request[Any, Any, State]
Answer: TypeAlias = Response[Any]
_SEE_OTHER: Literal[303] = 303


class SenderPages(Controller):
    include_in_schema = False

    @get("/senders", opt=requires("senders:read"))
    async def senders(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        public_address: NamedDependency[str],
    ) -> Answer:
        return await _page(request, principal, senders, public_address)

    @post("/senders", opt=requires("senders:write"), status_code=200)
    async def create(
        self,
        request: Asked,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        public_address: NamedDependency[str],
        data: URLEncodedBody[SenderForm],
    ) -> Answer:
        try:
            made = await senders.create(principal, data.name, caps_of(data.most_series, data.most_servers))
        except SenderError as refusal:
            return await _page(request, principal, senders, public_address, form=data, refusal=refusal)
        return await _page(request, principal, senders, public_address, made=made)

    @post("/senders/{sender_id:uuid}/revoke", opt=requires("senders:write"), status_code=_SEE_OTHER)
    async def revoke(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        sender_id: FromPath[UUID],
    ) -> Answer:
        await senders.revoke(principal, sender_id)
        return Redirect("/senders", status_code=_SEE_OTHER)


async def _page(
    request: Asked,
    principal: Principal,
    senders: Senders,
    url: str,
    *,
    made: NewSender | None = None,
    form: SenderForm | None = None,
    refusal: SenderError | None = None,
) -> Answer:
    now = senders.clock.now()
    created = {"name": made.record.name, "token": made.token} if made else None
    return render(
        request,
        "senders/list.html",
        title="Senders",
        status=refusal.status if refusal else 200,
        senders=[to_builtins(Sender.of(one, now)) for one in await senders.all(principal)],
        created=created,
        snippets=to_builtins(snippets(url, made.token)) if made else None,
        url=url,
        defaults={"most_series": DEFAULT_SERIES, "most_servers": DEFAULT_SERVERS},
        errors={refusal.field: refusal.detail} if refusal else {},
        values=to_builtins(form) if form else {},
    )
