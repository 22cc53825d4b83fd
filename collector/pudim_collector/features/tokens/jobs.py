"""Tells by mail that an API token is about to end, a week before and a day before, each once."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Protocol

from pudim_collector.features.tokens import queries, rules
from pudim_collector.features.tokens.queries import Ending, Reachable
from pudim_collector.features.tokens.service import MANAGE
from pudim_collector.infra.database import database
from pudim_collector.infra.mail.errors import MailError
from pudim_collector.infra.permissions import Rights
from pudim_collector.kernel.clock import Clock

_log = logging.getLogger(__name__)


class Letters(Protocol):
    """What the mailer offers."""

    @property
    def is_configured(self) -> bool: ...

    async def post(
        self, to: str, template: str, subject: str, *, language: str | None = None, **context: Any
    ) -> object: ...


class ExpiryWarnings:
    """`url` is where the pages are; run by the elected process."""

    def __init__(self, clock: Clock, rights: Rights, letters: Letters, url: str) -> None:
        self._clock, self._rights, self._letters, self._url = clock, rights, letters, url

    async def run_once(self) -> None:
        """Where no mail can be sent nothing counts as told: it is made good as soon as one can be."""
        if not self._letters.is_configured:
            return
        now = self._clock.now()
        first, last = (now + timedelta(days=days) for days in rules.WARNED_BEFORE)
        for token in await queries.ending(now, first, last):
            try:
                await self._tell(token)
            except MailError as error:
                _log.warning("nobody was told that the token %s ends: %s", token.id, error.code)

    async def _tell(self, token: Ending) -> None:
        """The mails wait in the transaction that notes that they were written."""
        days = rules.warning(token.expires_at, self._clock.now())
        if days is None:
            return
        async with database.transaction():
            if not await queries.claim_warning(token.team_id, token.id, days):
                return
            for member in await queries.members_of(token.team_id, token.made_by):
                if token.made_by is not None or self._manages(member):
                    await self._write(token, member)

    def _manages(self, member: Reachable) -> bool:
        return MANAGE in self._rights.of(member.role, member.own)

    async def _write(self, token: Ending, member: Reachable) -> None:
        await self._letters.post(
            member.email,
            "token_expires",
            "An API token is about to end",
            language=member.language,
            name=token.name,
            team=token.team,
            is_service=token.made_by is None,
            ends=token.expires_at.isoformat(),
            link=f"{self._url}/account/tokens/{token.id}",
        )
