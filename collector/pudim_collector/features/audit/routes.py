"""The audit log in the API."""

from __future__ import annotations

from litestar import Controller, get, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from pudim_collector.features.audit import rules
from pudim_collector.features.audit.schemas import (
    AuditAction,
    AuditActionPage,
    AuditBar,
    AuditDays,
    AuditEntry,
    AuditHistogram,
    AuditPage,
    AuditSettings,
    Of,
    Question,
    chain_of,
    question,
)
from pudim_collector.features.audit.service import AuditLog, NoSuchEntry, NoSuchLog, words_of
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auditing import actions
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action

CSV, JSON_LINES = "text/csv; header=present", "application/x-ndjson"


class AuditApi(Controller):
    path = "/api/v2/audit"
    tags = ("Audit",)
    dependencies = {  # noqa: RUF012 - as Litestar declares it
        "question": Provide(question, sync_to_thread=False)
    }

    @get(opt=requires("audit:read") | refuses(NoSuchLog, rules.BadSearch), operation_id="list_audit_entries")
    async def entries(
        self,
        audit: NamedDependency[AuditLog],
        paging: NamedDependency[Paging],
        question: NamedDependency[Question],
    ) -> AuditPage:
        """What was done, by whom, when and from where; the newest first."""
        place = paging.after(tuple[int])
        found = await audit.page(*question, place[0] if place else None, paging.limit)
        shown = paging.page(found, lambda one: (one.sequence,))
        return AuditPage([AuditEntry.of(one, words_of(one)) for one in shown], paging.next_cursor)

    @get(
        "/{sequence:int}",
        opt=requires("audit:read") | refuses(NoSuchLog, NoSuchEntry),
        operation_id="get_audit_entry",
    )
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

    @get(
        "/histogram",
        opt=requires("audit:read") | refuses(NoSuchLog, rules.BadSearch),
        operation_id="get_audit_histogram",
    )
    async def histogram(
        self,
        audit: NamedDependency[AuditLog],
        question: NamedDependency[Question],
    ) -> AuditHistogram:
        """How many entries a search has over time, of the last month if it says no time."""
        return AuditHistogram([AuditBar.of(bar) for bar in await audit.bars(*question)])

    @get("/actions", opt=requires("audit:read"), operation_id="list_audit_actions")
    async def all_actions(self, paging: NamedDependency[Paging]) -> AuditActionPage:
        """Every action that is written, by name, with what it means."""
        shown = paging.cut(actions().values(), tuple[str], lambda one: (one.name,))
        items = [AuditAction(one.name, one.words, list(one.fields)) for one in shown]
        return AuditActionPage(items, paging.next_cursor)

    @get(
        "/export/{form:str}",
        opt=requires("audit:export") | limited(Action.EXPORT) | refuses(NoSuchLog, rules.BadSearch),
        operation_id="export_audit_entries",
    )
    async def export(
        self,
        audit: NamedDependency[AuditLog],
        form: FromPath[str],
        question: NamedDependency[Question],
    ) -> Stream:
        """All that a search finds, the oldest first, as `csv` or as `jsonl` (a JSON document a line)."""
        if form not in {"csv", "jsonl"}:
            raise rules.BadSearch("form", "The form is csv or jsonl.")
        pieces = await audit.export(*question, form)
        return Stream(
            pieces,
            media_type=CSV if form == "csv" else JSON_LINES,
            headers={"Content-Disposition": f'attachment; filename="audit.{form}"'},
        )

    @get("/settings", opt=requires("audit:read") | refuses(NoSuchLog), operation_id="get_audit_settings")
    async def settings(
        self, principal: NamedDependency[Principal], audit: NamedDependency[AuditLog]
    ) -> AuditSettings:
        """How long entries are kept, and what all of them take."""
        return AuditSettings(await audit.days(principal.team_id), await audit.size())

    @put(
        "/settings",
        opt=requires("audit:manage") | refuses(NoSuchLog, rules.BadDays),
        operation_id="set_audit_retention",
    )
    async def keep(
        self,
        principal: NamedDependency[Principal],
        audit: NamedDependency[AuditLog],
        data: JSONBody[AuditDays],
    ) -> AuditSettings:
        """Keep entries for this many days."""
        await audit.keep_for(principal.team_id, data.days)
        return AuditSettings(data.days, await audit.size())
