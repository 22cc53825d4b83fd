"""Senders in the API."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import convert

from pudim_collector.features.senders.rules import Caps, SenderError, snippets
from pudim_collector.features.senders.schemas import (
    CreatedSender,
    NewSender,
    Sender,
    SenderCaps,
    SenderPage,
    Snippets,
)
from pudim_collector.features.senders.service import NoSuchSender, Senders
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires


class SendersApi(Controller):
    path = "/api/v2/senders"
    tags = ("Senders",)

    @get(opt=requires("senders:read"), operation_id="list_senders")
    async def senders(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        paging: NamedDependency[Paging],
    ) -> SenderPage:
        """All senders, by name, with what each sends now and what was refused of it."""
        now = senders.clock.now()
        found = await senders.all(principal)
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.id))
        return SenderPage([Sender.of(one, now) for one in shown], paging.next_cursor)

    @get("/{sender_id:uuid}", opt=requires("senders:read") | refuses(NoSuchSender), operation_id="get_sender")
    async def sender(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        sender_id: FromPath[UUID],
        entity: NamedDependency[Entity],
    ) -> Sender:
        """One sender, with what it sends now."""
        entity.version = await senders.version(principal, sender_id)
        return Sender.of(await senders.one(principal, sender_id), senders.clock.now())

    @post(opt=requires("senders:write") | refuses(SenderError), operation_id="create_sender")
    async def create(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        public_address: NamedDependency[str],
        data: JSONBody[NewSender],
    ) -> CreatedSender:
        """A token for OTLP and Prometheus' remote write. Tokens of one name write into the same series."""
        made = await senders.create(principal, data.name, Caps(data.most_series, data.most_servers))
        lines = convert(snippets(public_address, made.token), Snippets, from_attributes=True)
        return CreatedSender(made.token, Sender.of(made.record, senders.clock.now()), lines)

    @patch(
        "/{sender_id:uuid}",
        opt=requires("senders:write") | refuses(NoSuchSender, SenderError),
        operation_id="set_sender_caps",
        status_code=204,
    )
    async def set_caps(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        sender_id: FromPath[UUID],
        entity: NamedDependency[Entity],
        data: JSONBody[SenderCaps],
    ) -> None:
        """Let it bring more, or less."""
        async with entity.unchanged(lambda: senders.version(principal, sender_id, lock=True)):
            await senders.set_caps(principal, sender_id, Caps(data.most_series, data.most_servers))

    @delete(
        "/{sender_id:uuid}",
        opt=requires("senders:write") | refuses(NoSuchSender),
        operation_id="revoke_sender",
    )
    async def revoke(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        sender_id: FromPath[UUID],
        entity: NamedDependency[Entity],
    ) -> None:
        """Take nothing more from it. What it sent stays."""
        async with entity.unchanged(lambda: senders.version(principal, sender_id, lock=True)):
            await senders.revoke(principal, sender_id)
