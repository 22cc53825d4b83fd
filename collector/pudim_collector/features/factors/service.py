"""Second factors: add one, show it, lose it, and the codes on paper that stand in for all of them."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import pyotp

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.attempts.service import Attempts
from pudim_collector.features.factors import events, queries, rules
from pudim_collector.features.passkeys.service import Passkeys, has_passkeys
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.infra.api.entity_tags import version_of
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.entering import Entry, Step, Visitor
from pudim_collector.infra.scoping import Scope
from pudim_collector.infra.sealing import SealedColumn, Sealer
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

TeamDemand: TypeAlias = queries.TeamDemand
TOTP_SECRETS = SealedColumn("totp_secrets", "sealed", owner="id", purpose="totp")
RECOVERY_KEYS = SealedColumn("recovery_keys", "sealed", owner="user_id", purpose="recovery codes")
TOTP, PASSKEY = "totp", "passkey"
_ISSUER = "Pudim"
_SECRET_BYTES = 20
_KEY_BYTES = 32


class WrongCodeError(PudimError):
    """The code is wrong, was used already, or is too old."""

    code = "wrong_code"
    status = 403
    hint = "Codes of an app work once, for half a minute. See that the clock of the phone is right."


class NothingPendingError(PudimError):
    """No authenticator app is being added."""

    code = "nothing_pending"
    status = 409
    hint = "Begin again."


class FactorDemandedError(PudimError):
    """A team that you are in demands a second factor, and this is your last one."""

    code = "factor_demanded"
    status = 409
    hint = "Add another one first."


class OwnFactorError(PudimError):
    """Who demands a second factor of a team has one himself, and you have none."""

    code = "own_factor"
    status = 409
    hint = "Add an authenticator app or a passkey to your account first."


class NoFactorError(PudimError):
    """Recovery codes stand in for a second factor, and there is none."""

    code = "no_factor"
    status = 409
    hint = "Add an authenticator app or a passkey first."


@dataclass(frozen=True)
class PendingTotp:
    """What an authenticator app needs: `secret` to type, `uri` for a QR code."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


@dataclass(frozen=True)
class Overview:
    """`totp_since` is None without an app; `codes_left` None where there never were any."""

    kinds: frozenset[str]
    totp_since: datetime | None
    codes_left: int | None
    demanded: bool


class EnrolledFactors:
    """Implements pudim_collector.features.sessions.service.SecondFactors."""

    async def kinds_of(self, user_id: UUID) -> frozenset[str]:
        app = await queries.find_totp(user_id, confirmed=True)
        found = {TOTP} if app is not None else set()
        return frozenset(found | ({PASSKEY} if await has_passkeys(user_id) else set()))


class Demands:
    """Which teams demand a second factor of their members. Implements pudim_collector.features.sessions.service.FactorPolicy."""

    def __init__(self, *, emit: Callable[[object], None] = log_event) -> None:
        self._emit, self._enrolled = emit, EnrolledFactors()

    async def demands(self, user_id: UUID) -> bool:
        return await queries.is_demanded_of(user_id)

    async def version(self, principal: Principal, *, lock: bool = False) -> str:
        team = Scope(principal.team_id)
        demanded = await queries.lock_demand(team) if lock else (await queries.team_demand(team)).demanded
        return version_of(principal.team_id, demanded)

    async def change(self, principal: Principal, *, demanded: bool) -> None:
        """It counts with the next request of each member. Raises OwnFactorError."""
        team = Scope(principal.team_id)
        if demanded and not await self._enrolled.kinds_of(principal.id):
            raise OwnFactorError
        async with database.transaction():
            before = await queries.lock_demand(team)
            if before == demanded:
                return
            await queries.set_demand(team, demanded=demanded)
            self._emit(events.TeamDemandChanged(team.team_id, {"demanded": before}, {"demanded": demanded}))


async def team_demand(principal: Principal) -> TeamDemand:
    """Of the team that he is in."""
    return await queries.team_demand(Scope(principal.team_id))


class Factors:
    def __init__(
        self,
        sessions: Sessions,
        passkeys: Passkeys,
        attempts: Attempts,
        clock: Clock,
        *,
        totp: Sealer,
        recovery: Sealer,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._sessions, self._attempts, self._clock, self._emit = sessions, attempts, clock, emit
        self._passkeys, self._totp, self._recovery = passkeys, totp, recovery
        self._enrolled = EnrolledFactors()

    async def overview(self, user_id: UUID) -> Overview:
        app = await queries.find_totp(user_id, confirmed=True)
        has_codes = await queries.find_recovery_key(user_id) is not None
        return Overview(
            await self._enrolled.kinds_of(user_id),
            app.confirmed_at if app else None,
            await queries.count_codes(user_id) if has_codes else None,
            await self._sessions.demanded(user_id),
        )

    async def kinds_of(self, user_id: UUID) -> frozenset[str]:
        return await self._enrolled.kinds_of(user_id)

    # An authenticator app

    async def begin_totp(self, user_id: UUID, email: str) -> PendingTotp:
        """A new secret, which counts once a code of it was right; the app of before works until then."""
        totp_id, secret = new_id(), base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        sealed = self._totp.seal(secret.encode(), totp_id.bytes)
        await queries.replace_pending(totp_id, user_id, sealed, self._clock.now())
        return _pending(secret, email)

    async def pending_totp(self, user_id: UUID, email: str) -> PendingTotp:
        """The one that waits for its first code, or a new one."""
        found = await queries.find_totp(user_id, confirmed=False)
        if found is None:
            return await self.begin_totp(user_id, email)
        return _pending(self._totp.open(found.sealed, found.id.bytes).decode(), email)

    async def confirm_totp(self, user_id: UUID, code: str, visitor: Visitor) -> Sequence[str]:
        """New recovery codes where there are none, else nothing. Raises WrongCodeError, NothingPendingError, SlowDownError."""
        found = await queries.find_totp(user_id, confirmed=False)
        if found is None:
            raise NothingPendingError
        attempt = await self._attempts.begin("confirm", str(user_id), visitor.address)
        async with database.transaction():
            if not await self._is_right(found, rules.plain(code)):
                raise WrongCodeError
            await queries.confirm_totp(found.id, user_id, self._clock.now())
        await attempt.succeeded()
        self._emit(events.FactorAdded(user_id, TOTP))
        has_codes = await queries.find_recovery_key(user_id) is not None
        return [] if has_codes else await self.make_codes(user_id)

    async def remove_totp(self, principal: Principal) -> Entry:
        """The session goes on under a new secret. Raises FactorDemandedError."""
        await self.check_removal(principal.id, TOTP)
        await queries.remove_totp(principal.id)
        self._emit(events.FactorRemoved(principal.id, TOTP))
        await self.drop_codes_of_nothing(principal.id)
        return await self._sessions.renew(principal)

    async def remove_passkey(self, principal: Principal, passkey_id: UUID) -> Entry:
        """The session goes on under a new secret. Raises FactorDemandedError, NoSuchPasskeyError."""
        if len(await self._passkeys.all(principal.id)) == 1:
            await self.check_removal(principal.id, PASSKEY)
        await self._passkeys.remove(principal.id, passkey_id)
        await self.drop_codes_of_nothing(principal.id)
        return await self._sessions.renew(principal)

    async def check_removal(self, user_id: UUID, kind: str) -> None:
        """Raises FactorDemandedError."""
        others = await self.kinds_of(user_id) - {kind}
        if not others and await self._sessions.demanded(user_id):
            raise FactorDemandedError

    async def reset(self, user_id: UUID) -> None:
        """For who has the machine, where a person lost all of them: every factor and code goes."""
        for passkey in await self._passkeys.all(user_id):
            await self._passkeys.remove(user_id, passkey.id)
        await queries.remove_totp(user_id)
        await queries.remove_codes(user_id)

    # Codes on paper

    async def make_codes(self, user_id: UUID) -> Sequence[str]:
        """Shown this once; those from before are void. Raises NoFactorError."""
        if not await self.kinds_of(user_id):
            raise NoFactorError
        key = secrets.token_bytes(_KEY_BYTES)
        codes = [rules.recovery_code(secrets.token_bytes(8)) for _ in range(rules.CODES)]
        sealed = self._recovery.seal(key, user_id.bytes)
        hashes = [rules.code_hash(key, code) for code in codes]
        await queries.replace_codes(user_id, sealed, hashes, self._clock.now())
        self._emit(events.RecoveryCodesMade(user_id))
        return codes

    async def drop_codes_of_nothing(self, user_id: UUID) -> None:
        """Without a factor there is nothing that they could stand in for."""
        if not await self.kinds_of(user_id):
            await queries.remove_codes(user_id)

    # The second step

    async def enter(self, half_secret: str, code: str, visitor: Visitor) -> Entry:
        """A session for a half one. Raises HalfSessionError, WrongCodeError, SlowDownError."""
        half = await self._sessions.half(half_secret, Step.FACTOR)
        attempt = await self._attempts.begin("factor", str(half.user_id), visitor.address, strict=True)
        async with database.transaction():
            if not await self._shown(half.user_id, rules.plain(code), visitor):
                self._emit(events.FactorRefused(half.user_id, visitor.address))
                raise WrongCodeError
            entry = await self._sessions.finish(half, visitor)
        await attempt.succeeded()
        return entry

    async def _shown(self, user_id: UUID, code: str, visitor: Visitor) -> bool:
        if rules.is_totp(code):
            found = await queries.find_totp(user_id, confirmed=True)
            return found is not None and await self._is_right(found, code)
        return await self._use_code(user_id, code, visitor)

    async def _is_right(self, found: queries.TotpRecord, code: str) -> bool:
        """Whether it is a code of now, and the first time that it is shown."""
        secret = pyotp.TOTP(self._totp.open(found.sealed, found.id.bytes).decode())
        for step in rules.steps_of(self._clock.now()):
            if hmac.compare_digest(secret.generate_otp(step).encode(), code.encode()):
                return await queries.use_step(found.id, step)
        return False

    async def _use_code(self, user_id: UUID, code: str, visitor: Visitor) -> bool:
        sealed = await queries.find_recovery_key(user_id)
        if sealed is None:
            return False
        key = self._recovery.open(sealed, user_id.bytes)
        if not await queries.use_code(user_id, rules.code_hash(key, code)):
            return False
        left = await queries.count_codes(user_id)
        self._emit(events.RecoveryCodeUsed(user_id, visitor.address, left))
        return True


def _pending(secret: str, email: str) -> PendingTotp:
    return PendingTotp(secret, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER))
