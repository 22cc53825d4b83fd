"""Receivers of audit entries in the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim_collector.features.receivers import rules
from pudim_collector.features.receivers.schemas import AuditReceiver, AuditReceiverPage, NewAuditReceiver
from pudim_collector.features.receivers.service import NoSuchReceiver, Receivers, TooManyReceivers
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import Principal, requires


class AuditReceiversApi(Controller):
    path = "/api/v2/audit-receivers"
    tags = ("Audit",)

    @get(opt=requires("installation:audit"), operation_id="list_audit_receivers")
    async def every(
        self,
        principal: NamedDependency[Principal],
        receivers: NamedDependency[Receivers],
        paging: NamedDependency[Paging],
    ) -> AuditReceiverPage:
        """Where the team's entries are sent to, by name, and how far each receiver is."""
        found = [AuditReceiver.of(one) for one in await receivers.all(principal.team_id)]
        shown = paging.cut(found, tuple[str, UUID], lambda one: (one.name, one.id))
        return AuditReceiverPage(shown, paging.next_cursor)

    @post(
        opt=requires("installation:audit") | refuses(rules.BadReceiver, TooManyReceivers),
        operation_id="add_audit_receiver",
    )
    async def add(
        self,
        principal: NamedDependency[Principal],
        receivers: NamedDependency[Receivers],
        data: JSONBody[NewAuditReceiver],
    ) -> AuditReceiver:
        """Send entries to a syslog receiver or a webhook, in order and none left out."""
        made = await receivers.add(
            principal.team_id, data.name, data.kind, _settings(data), from_now=not data.from_start
        )
        return AuditReceiver.of(made)

    @delete(
        "/{receiver_id:uuid}",
        opt=requires("installation:audit") | refuses(NoSuchReceiver),
        operation_id="remove_audit_receiver",
    )
    async def remove(
        self,
        principal: NamedDependency[Principal],
        receivers: NamedDependency[Receivers],
        receiver_id: FromPath[UUID],
    ) -> None:
        """Send nothing more to it."""
        await receivers.remove(principal.team_id, receiver_id)


def _settings(data: NewAuditReceiver) -> dict[str, Any]:
    return {"url": data.url} if data.kind == rules.WEBHOOK else {"host": data.host, "port": data.port}
