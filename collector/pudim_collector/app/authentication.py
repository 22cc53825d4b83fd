"""Who asks: a person by his session, or a program by its token; the gate knows them as one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from pudim_collector.features.accounts.service import Accounts
from pudim_collector.features.tokens.service import Tokens
from pudim_collector.infra.auth import Principal


@dataclass(frozen=True)
class Authentication:
    """Implements pudim_collector.infra.auth.Authenticator, and sudo's ProofKeeper."""

    accounts: Accounts
    tokens: Tokens

    async def by_session(self, secret: str) -> Principal | None:
        return await self.accounts.by_session(secret)

    async def by_token(self, secret: str) -> Principal | None:
        """Raises TokenExpiredError."""
        return await self.tokens.by_token(secret)

    async def proof_is_fresh(self, session_id: UUID, lasts: timedelta) -> bool:
        return await self.accounts.proof_is_fresh(session_id, lasts)
