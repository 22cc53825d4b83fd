"""Senders in the API."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import convert

from pudim_collector.features.senders.rules import Caps, snippets
from pudim_collector.features.senders.schemas import (
    CreatedSender,
    NewSender,
    Sender,
    SenderCaps,
    SenderPage,
    Snippets,
)
from pudim_collector.features.senders.service import Senders
from pudim_collector.infra.auth import Principal, requires


class SendersApi(Controller):
    path = "/api/v2/senders"
    tags = ("Senders",)

    @get(opt=requires("senders:read"), operation_id="list_senders")
    async def senders(
        self, principal: NamedDependency[Principal], senders: NamedDependency[Senders]
    ) -> SenderPage:
        """All senders, by name, with what each sends now and what was refused of it."""
        now = senders.clock.now()
        return SenderPage([Sender.of(one, now) for one in await senders.all(principal)])

    @post(opt=requires("senders:write"), operation_id="create_sender")
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
        "/{sender_id:uuid}", opt=requires("senders:write"), operation_id="set_sender_caps", status_code=204
    )
    async def set_caps(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        sender_id: FromPath[UUID],
        data: JSONBody[SenderCaps],
    ) -> None:
        """Let it bring more, or less."""
        await senders.set_caps(principal, sender_id, Caps(data.most_series, data.most_servers))

    @delete("/{sender_id:uuid}", opt=requires("senders:write"), operation_id="revoke_sender")
    async def revoke(
        self,
        principal: NamedDependency[Principal],
        senders: NamedDependency[Senders],
        sender_id: FromPath[UUID],
    ) -> None:
        """Take nothing more from it. What it sent stays."""
        await senders.revoke(principal, sender_id)
