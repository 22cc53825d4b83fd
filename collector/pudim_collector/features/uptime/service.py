"""Use cases around checks: define them, say what is known of each, and what list an agent should run."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from pudim.checks.reading import BadCheck
from pudim.vocabulary.errors import PudimError
from pudim.wire.messages import Checks
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.notices.service import HostNotices
from pudim_collector.features.servers.service import Servers, ServerView
from pudim_collector.features.uptime import events, queries, rules
from pudim_collector.features.uptime.queries import CheckRecord
from pudim_collector.features.uptime.rules import CheckState, Draft, Result
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.problems import BadFieldsError
from pudim_collector.infra.scoping import NoSuchServer, Scope
from pudim_collector.infra.sealing import SealBrokenError, SealedColumn, Sealer
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

CHECKS_CHANGED = "pudim_checks_changed"
"""The channel on which a server is announced whose agent is to get another list of checks."""
CHECK_SECRETS = SealedColumn("checks", "secrets", owner="id", purpose="checks")
log = logging.getLogger(__name__)
_NOTICE = "checks"
_AGENT = "agent"


class NoSuchCheck(PudimError):
    """There is no such check of this server."""

    code = "no_such_check"
    status = 404


class TooManyChecks(PudimError):
    """A server has at most 100 checks, and half a megabyte of them."""

    code = "too_many_checks"
    status = 409
    hint = "Remove some, or let another server's agent run them."


class NoAgentHere(PudimError):
    """Nothing runs checks on this server: it has no agent that may report."""

    code = "no_agent_here"
    status = 409
    hint = "Let a server with an agent check it."


class BadCheckError(BadFieldsError):
    """The check cannot be run as it is defined."""

    code = "bad_check"


@dataclass(frozen=True)
class CheckView:
    """A check with what is known of it now. `secrets` names the secret settings that are set."""

    id: UUID
    draft: Draft
    settings: dict[str, Any]
    secrets: tuple[str, ...]
    state: CheckState
    result: Result | None
    created_at: datetime


class Uptime:
    """All use cases; also what ingest asks when an agent connects."""

    def __init__(
        self,
        servers: Servers,
        notices: HostNotices,
        announcements: Announcements,
        clock: Clock,
        sealer: Sealer,
        *,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._servers, self._notices, self._announcements = servers, notices, announcements
        self._clock, self._sealer, self._emit = clock, sealer, emit

    async def all(self, within: Scope, server_id: UUID) -> list[CheckView]:
        """A server's checks by name, with their newest results. Raises NoSuchServer."""
        server = await self._servers.one(within, server_id)
        return await self._views(within, server, await queries.checks_of(within, server_id))

    async def one(self, within: Scope, server_id: UUID, check_id: UUID) -> CheckView:
        """Raises NoSuchServer or NoSuchCheck."""
        server = await self._servers.one(within, server_id)
        found = await self._found(within, server_id, check_id)
        return (await self._views(within, server, [found]))[0]

    async def version(self, within: Scope, server_id: UUID, check_id: UUID, *, lock: bool = False) -> str:
        """Of a check's definition; with `lock` nobody else changes it until the transaction ends. Raises NoSuchCheck."""
        if lock:
            await queries.lock_list(within, server_id)
        return version_of(*astuple(await self._found(within, server_id, check_id)))

    async def create(self, principal: Principal, within: Scope, server_id: UUID, draft: Draft) -> UUID:
        """Raises NoSuchServer, NoAgentHere, BadCheckError or TooManyChecks."""
        server = await self._servers.one(within, server_id)
        if server.kind != _AGENT or server.state == "revoked":
            raise NoAgentHere
        check_id = new_id()
        record = self._record(server_id, check_id, draft, self._clock.now())
        async with self._changing(within, server_id):
            await queries.insert(within, record)
            self._emit(events.CheckCreated(check_id, server_id, record.name, record.kind, principal.id))
        return check_id

    async def change(
        self, principal: Principal, within: Scope, server_id: UUID, check_id: UUID, **changed: Any
    ) -> None:
        """Any fields of a Draft; of settings, secret ones that are not given stay as they are.

        Raises NoSuchServer, NoSuchCheck, BadCheckError or TooManyChecks.
        """
        async with self._changing(within, server_id):
            known = await self._found(within, server_id, check_id)
            draft = self._draft(known)
            if changed.get("settings") is not None and changed.get("kind", draft.kind) == draft.kind:
                changed["settings"] = rules.with_secrets(draft.kind, changed["settings"], draft.settings)
            wanted = {name: value for name, value in changed.items() if value is not None}
            fresh = Draft(**{**_fields(draft), **wanted})
            record = self._record(server_id, check_id, fresh, known.created_at)
            await queries.update(within, record)
            before, after = _told(known), _told(record)
            self._emit(events.CheckChanged(check_id, server_id, record.name, before, after, principal.id))

    async def remove(self, principal: Principal, within: Scope, server_id: UUID, check_id: UUID) -> None:
        """What it found stays among the server's metrics. Raises NoSuchServer or NoSuchCheck."""
        async with self._changing(within, server_id):
            known = await self._found(within, server_id, check_id)
            if not await queries.delete(within, server_id, check_id):
                raise NoSuchCheck
            self._emit(events.CheckRemoved(check_id, server_id, known.name, principal.id))

    # What ingest asks

    async def listed(self, server_id: UUID) -> Checks | None:
        """What this server's agent should run; None where there never was anything to run."""
        revision = await queries.revision(server_id)
        if revision is None:
            return None
        documents = []
        for one in await queries.checks_for_agent(server_id):
            try:
                if one.enabled:
                    documents.append(self._draft(one).document(one.id))
            except SealBrokenError:  # without its secrets it would find something else than it is asked
                log.warning("check %s is not sent to its agent: its secrets cannot be opened", one.id)
        return Checks(revision, tuple(documents))

    async def servers_with_lists(self) -> list[UUID]:
        return await queries.servers_with_lists()

    # Within

    @asynccontextmanager
    async def _changing(self, within: Scope, server_id: UUID) -> AsyncIterator[None]:
        """A change of one list at a time; what makes the list too long is not kept. Raises NoSuchServer."""
        async with database.transaction():
            if not await queries.advance(within, server_id):
                raise NoSuchServer
            yield
            listed = await self.listed(server_id)
            count = len(await queries.checks_of(within, server_id))
            if listed is not None and (count > rules.MOST_CHECKS or len(listed.encode()) > rules.MOST_BYTES):
                raise TooManyChecks
            await self._announcements.announce(CHECKS_CHANGED, server_id.hex)

    @staticmethod
    async def _found(within: Scope, server_id: UUID, check_id: UUID) -> CheckRecord:
        record = await queries.find(within, server_id, check_id)
        if record is None:
            raise NoSuchCheck
        return record

    def _record(self, server_id: UUID, check_id: UUID, draft: Draft, created_at: datetime) -> CheckRecord:
        """Raises BadCheckError."""
        try:
            kept = rules.checked(draft, check_id)
        except BadCheck as bad:
            raise BadCheckError(bad.faults) from bad
        settings, secrets = rules.apart(kept.kind, kept.settings)
        sealed = self._sealer.seal(msgspec.json.encode(secrets), check_id.bytes) if secrets else None
        return CheckRecord(
            check_id,
            server_id,
            kept.name,
            kept.kind,
            kept.interval,
            kept.timeout,
            settings,
            sealed,
            kept.enabled,
            created_at,
        )

    def _draft(self, record: CheckRecord) -> Draft:
        secrets: dict[str, Any] = {}
        if record.secrets is not None:
            secrets = msgspec.json.decode(self._sealer.open(record.secrets, record.id.bytes))
        settings = {**record.settings, **secrets}
        return Draft(record.name, record.kind, settings, record.interval, record.timeout, record.enabled)

    async def _views(
        self, within: Scope, server: ServerView, records: Sequence[CheckRecord]
    ) -> list[CheckView]:
        notice, now = await self._notices.one(within, server.id, _NOTICE), self._clock.now()
        silent = notice is None or self._notices.is_old(notice, server)
        results = {one.id: _result(one) for one in notice.document.checks} if notice else {}
        return [self._view(one, results.get(str(one.id)), now, silent=silent) for one in records]

    def _view(self, record: CheckRecord, result: Result | None, now: datetime, *, silent: bool) -> CheckView:
        try:
            draft = self._draft(record)
        except SealBrokenError:
            draft, result = self._draft(replace(record, secrets=None)), None
        _, secrets = rules.apart(record.kind, draft.settings)
        return CheckView(
            record.id,
            draft,
            dict(record.settings),
            tuple(sorted(secrets)),
            rules.state(draft, result, now, silent=silent),
            result,
            record.created_at,
        )


def _told(record: CheckRecord) -> dict[str, Any]:
    """For the audit log; whether a secret setting changed is not told."""
    return {
        "name": record.name,
        "kind": record.kind,
        "every": record.interval,
        "timeout": record.timeout,
        "enabled": record.enabled,
        "settings": dict(record.settings),
    }


def _fields(draft: Draft) -> dict[str, Any]:
    return {name: getattr(draft, name) for name in Draft.__dataclass_fields__}


def _result(told: Any) -> Result:
    return Result(
        told.status,
        _moment(told.since),
        _moment(told.at),
        told.duration,
        told.detail or None,
        told.code or None,
    )


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
