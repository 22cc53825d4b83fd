"""The audit log in the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from pudim_collector.features.audit import rules
from pudim_collector.features.audit.rules import Linked
from pudim_collector.features.audit.schemas import (
    AuditAction,
    AuditActionPage,
    AuditBar,
    AuditDays,
    AuditEntry,
    AuditHistogram,
    AuditPage,
    AuditReceiver,
    AuditReceiverPage,
    AuditSettings,
    From,
    How,
    NewAuditReceiver,
    Of,
    Since,
    ToWhat,
    Until,
    What,
    Who,
    Words,
    chain_of,
    search_of,
)
from pudim_collector.features.audit.service import AuditLog
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.auditing import actions
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action

CSV, JSON_LINES = "text/csv; charset=utf-8; header=present", "application/x-ndjson"


class AuditApi(Controller):
    path = "/api/v2/audit"
    tags = ("Audit",)

    @get(opt=requires("audit:read"), operation_id="list_audit_entries")
    async def entries(  # noqa: PLR0917 - one argument a filter
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        paging: NamedDependency[Paging],
        q: Words = "",
        actor: Who = "",
        action: What = "",
        target: ToWhat = "",
        result: How = "",
        address: From = "",
        since: Since = "",
        until: Until = "",
        of: Of = "team",
    ) -> AuditPage:
        """What was done, by whom, when and from where; the newest first."""
        search = search_of(q=q, actor=actor, action=action, target=target, result=result, address=address, since=since, until=until)  # fmt: skip
        place = paging.after(tuple[int])
        found = await audit.page(chain_of(principal, of), search, place[0] if place else None, paging.limit)
        shown = paging.page(found, lambda one: (one.sequence,))
        return AuditPage([AuditEntry.of(one, words_of(one)) for one in shown], paging.next_cursor)

    @get("/{sequence:int}", opt=requires("audit:read"), operation_id="get_audit_entry")
    async def entry(
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        sequence: FromPath[int],
        of: Of = "team",
    ) -> AuditEntry:
        """One entry by its number."""
        found = await audit.one(chain_of(principal, of), sequence)
        return AuditEntry.of(found, words_of(found))

    @get("/histogram", opt=requires("audit:read"), operation_id="get_audit_histogram")
    async def histogram(  # noqa: PLR0917 - one argument a filter
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        q: Words = "",
        actor: Who = "",
        action: What = "",
        target: ToWhat = "",
        result: How = "",
        address: From = "",
        since: Since = "",
        until: Until = "",
        of: Of = "team",
    ) -> AuditHistogram:
        """How many entries a search has over time, of the last month if it says no time."""
        search = search_of(q=q, actor=actor, action=action, target=target, result=result, address=address, since=since, until=until)  # fmt: skip
        return AuditHistogram([AuditBar.of(bar) for bar in await audit.bars(chain_of(principal, of), search)])

    @get("/actions", opt=requires("audit:read"), operation_id="list_audit_actions")
    async def all_actions(self) -> AuditActionPage:
        """Every action that is written, with what it means."""
        return AuditActionPage(
            [AuditAction(one.name, one.words, list(one.fields)) for one in actions().values()]
        )

    @get(
        "/export/{form:str}",
        opt=requires("audit:export") | limited(Action.EXPORT),
        operation_id="export_audit_entries",
    )
    async def export(  # noqa: PLR0917 - one argument a filter
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        form: FromPath[str],
        q: Words = "",
        actor: Who = "",
        action: What = "",
        target: ToWhat = "",
        result: How = "",
        address: From = "",
        since: Since = "",
        until: Until = "",
        of: Of = "team",
    ) -> Stream:
        """All that a search finds, the oldest first, as `csv` or as `jsonl` (a JSON document a line)."""
        if form not in {"csv", "jsonl"}:
            raise rules.BadSearch("form", "The form is csv or jsonl.")
        search = search_of(q=q, actor=actor, action=action, target=target, result=result, address=address, since=since, until=until)  # fmt: skip
        pieces = await audit.export(chain_of(principal, of), search, form)
        return Stream(
            pieces,
            media_type=CSV if form == "csv" else JSON_LINES,
            headers={"Content-Disposition": f'attachment; filename="audit.{form}"'},
        )

    @get("/settings", opt=requires("audit:read"), operation_id="get_audit_settings")
    async def settings(
        self, principal: NamedDependency[Principal], audit: NamedDependency[AuditLog]
    ) -> AuditSettings:
        """How long entries are kept, and what all of them take."""
        return AuditSettings(await audit.days(principal.team_id), await audit.size())

    @put("/settings", opt=requires("audit:manage"), operation_id="set_audit_retention")
    async def keep(
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        data: JSONBody[AuditDays],
    ) -> AuditSettings:
        """Keep entries for this many days."""
        await audit.keep_for(principal.team_id, data.days)
        return AuditSettings(data.days, await audit.size())


class AuditReceiversApi(Controller):
    path = "/api/v2/audit-receivers"
    tags = ("Audit",)

    @get(opt=requires("installation:audit"), operation_id="list_audit_receivers")
    async def receivers(
        self, principal: NamedDependency[Principal], audit: NamedDependency[AuditLog]
    ) -> AuditReceiverPage:
        """Where the team's entries are sent to, and how far each receiver is."""
        return AuditReceiverPage([AuditReceiver.of(one) for one in await audit.receivers(principal.team_id)])

    @post(opt=requires("installation:audit"), operation_id="add_audit_receiver")
    async def add(
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        data: JSONBody[NewAuditReceiver],
    ) -> AuditReceiver:
        """Send entries to a syslog receiver or a webhook, in order and none left out."""
        made = await audit.add_receiver(
            principal.team_id, data.name, data.kind, _settings(data), from_now=not data.from_start
        )
        return next(
            AuditReceiver.of(one) for one in await audit.receivers(principal.team_id) if one.id == made
        )

    @delete("/{receiver_id:uuid}", opt=requires("installation:audit"), operation_id="remove_audit_receiver")
    async def remove(
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        receiver_id: FromPath[UUID],
    ) -> None:
        """Send nothing more to it."""
        await audit.remove_receiver(principal.team_id, receiver_id)


def words_of(one: Linked) -> str:
    """What an entry's action means; of one that this version does not know, its name."""
    known = actions().get(one.entry.action)
    return known.words if known else one.entry.action


def _settings(data: NewAuditReceiver) -> dict[str, Any]:
    return {"url": data.url} if data.kind == rules.WEBHOOK else {"host": data.host, "port": data.port}
