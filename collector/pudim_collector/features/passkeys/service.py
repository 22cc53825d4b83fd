"""Register a passkey and believe its answers: each challenge once, from our own pages, with its person verified."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any
from uuid import UUID

from cbor2 import CBORError
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, parse_attestation_object, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AttestationFormat,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.accounts.service import Person, log_event
from pudim_collector.features.passkeys import events, queries, rules
from pudim_collector.features.passkeys.queries import PasskeyRecord
from pudim_collector.features.passkeys.rules import Site, clean_name, site_of
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.entering import Entry, Step, Visitor
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

_CHALLENGE_BYTES = 32
_MALFORMED = (WebAuthnException, CBORError, ValueError, TypeError, KeyError, IndexError)
"""What reading a hostile answer may raise."""


class PasskeyRefusedError(PudimError):
    """This passkey did not prove who you are."""

    code = "passkey_refused"
    status = 403
    hint = "Try again, or use another way."


class TooManyPasskeysError(PudimError):
    """An account has 20 passkeys at most."""

    code = "too_many_passkeys"
    status = 409
    hint = "Remove one that you do not use."


class NoSuchPasskeyError(PudimError):
    """There is no such passkey."""

    code = "no_such_passkey"
    status = 404


class NoPasskeysHereError(PudimError):
    """Passkeys do not work under this address."""

    code = "no_passkeys_here"
    status = 409


class Purpose(StrEnum):
    REGISTER = "register"
    SIGN_IN = "sign-in"
    FACTOR = "factor"
    PROVE = "prove"


async def has_passkeys(user_id: UUID) -> bool:
    return await queries.has_passkeys(user_id)


class Passkeys:
    def __init__(
        self,
        public_url: str,
        sessions: Sessions,
        clock: Clock,
        *,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self.site: Site = site_of(public_url)
        self._sessions, self._clock, self._emit = sessions, clock, emit

    # One's own

    async def all(self, user_id: UUID) -> Sequence[PasskeyRecord]:
        return await queries.list_passkeys(user_id)

    async def registering(self, user: Person) -> dict[str, Any]:
        """Options for the browser. Raises NoPasskeysHereError, TooManyPasskeysError."""
        known = await queries.list_passkeys(user.id)
        if len(known) >= rules.MOST_PASSKEYS:
            raise TooManyPasskeysError
        options = generate_registration_options(
            rp_id=self.site.rp_id,
            rp_name="Pudim",
            user_id=user.id.bytes,
            user_name=user.email,
            user_display_name=user.name,
            challenge=await self._challenge(Purpose.REGISTER, user.id),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_descriptors(known),
        )
        return _plain(options_to_json(options))

    async def register(self, user_id: UUID, credential: dict[str, Any], name: str, visitor: Visitor) -> None:
        """Raises PasskeyRefusedError."""
        challenge = await self._taken(credential, Purpose.REGISTER, user_id, visitor)
        try:
            # We asked for no attestation, and read none: its formats are much code for anybody's bytes.
            sent = base64url_to_bytes(credential["response"]["attestationObject"])
            if parse_attestation_object(sent).fmt != AttestationFormat.NONE:
                raise self._refused("attestation", visitor)
            verified = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.site.rp_id,
                expected_origin=self.site.origin,
                require_user_verification=True,
            )
        except _MALFORMED as error:
            raise self._refused("registration", visitor) from error
        if await queries.find_passkey(verified.credential_id) is not None:
            raise self._refused("known", visitor)
        record = PasskeyRecord(
            new_id(),
            user_id,
            clean_name(name),
            verified.credential_id,
            verified.credential_public_key,
            verified.sign_count,
            self._clock.now(),
            None,
        )
        await queries.add_passkey(record)
        self._emit(events.PasskeyAdded(user_id, record.id, record.name))

    async def remove(self, user_id: UUID, passkey_id: UUID) -> None:
        """Raises NoSuchPasskeyError."""
        if not await queries.remove_passkey(user_id, passkey_id):
            raise NoSuchPasskeyError
        self._emit(events.PasskeyRemoved(user_id, passkey_id))

    # Its answers

    async def asking(self, purpose: Purpose, user_id: UUID | None = None) -> dict[str, Any]:
        """Options for the browser; without `user_id` whichever passkey for here it has. Raises NoPasskeysHereError."""
        known = await queries.list_passkeys(user_id) if user_id is not None else []
        options = generate_authentication_options(
            rp_id=self.site.rp_id,
            challenge=await self._challenge(purpose, user_id),
            allow_credentials=_descriptors(known),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return _plain(options_to_json(options))

    async def sign_in(self, credential: dict[str, Any], visitor: Visitor) -> Entry:
        """A session without a password: it was in somebody's hand, and he was verified. Raises PasskeyRefusedError."""
        found = await self._answered(credential, Purpose.SIGN_IN, None, visitor)
        return await self._sessions.enter_fully(found.user_id, visitor)

    async def asking_half(self, half_secret: str) -> dict[str, Any]:
        """Raises HalfSessionError."""
        half = await self._sessions.half(half_secret, Step.FACTOR)
        return await self.asking(Purpose.FACTOR, half.user_id)

    async def enter(self, half_secret: str, credential: dict[str, Any], visitor: Visitor) -> Entry:
        """A session for a half one. Raises HalfSessionError, PasskeyRefusedError."""
        half = await self._sessions.half(half_secret, Step.FACTOR)
        await self._answered(credential, Purpose.FACTOR, half.user_id, visitor)
        return await self._sessions.finish(half, visitor)

    async def prove(self, principal: Principal, credential: dict[str, Any], visitor: Visitor) -> Entry:
        """The session under a new secret, proved. Raises PasskeyRefusedError."""
        await self._answered(credential, Purpose.PROVE, principal.id, visitor)
        return await self._sessions.proved(principal, visitor)

    async def _answered(
        self, credential: dict[str, Any], purpose: Purpose, user_id: UUID | None, visitor: Visitor
    ) -> PasskeyRecord:
        challenge = await self._taken(credential, purpose, user_id, visitor)
        try:
            found = await queries.find_passkey(base64url_to_bytes(credential["rawId"]))
            if found is None or user_id not in {None, found.user_id}:
                raise self._refused("unknown", visitor)
            verified = verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self.site.rp_id,
                expected_origin=self.site.origin,
                credential_public_key=found.public_key,
                credential_current_sign_count=found.sign_count,
                require_user_verification=True,
            )
        except _MALFORMED as error:
            raise self._refused("assertion", visitor) from error
        if not await queries.count_use(found.id, verified.new_sign_count, self._clock.now()):
            raise self._refused("counter", visitor)
        return found

    async def _challenge(self, purpose: Purpose, user_id: UUID | None) -> bytes:
        if self.site.trouble:
            raise NoPasskeysHereError(self.site.trouble)
        challenge, now = secrets.token_bytes(_CHALLENGE_BYTES), self._clock.now()
        await queries.add_challenge(
            challenge,
            purpose,
            user_id,
            now=now,
            expires_at=now + rules.CHALLENGE_LIFE,
            most=rules.MOST_CHALLENGES,
        )
        return challenge

    async def _taken(
        self, credential: dict[str, Any], purpose: Purpose, user_id: UUID | None, visitor: Visitor
    ) -> bytes:
        """The challenge that was answered, which nobody can answer again."""
        try:
            sent = base64url_to_bytes(credential["response"]["clientDataJSON"])
            challenge = parse_client_data_json(sent).challenge
        except _MALFORMED as error:
            raise self._refused("malformed", visitor) from error
        if not await queries.take_challenge(challenge, purpose, user_id, self._clock.now()):
            raise self._refused("challenge", visitor)
        return challenge

    def _refused(self, reason: str, visitor: Visitor) -> PasskeyRefusedError:
        self._emit(events.PasskeyRefused(visitor.address, reason))
        return PasskeyRefusedError()


def _descriptors(known: Sequence[PasskeyRecord]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=one.credential_id) for one in known]


def _plain(options: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(options)
    return read
