"""What is worth a thief's while needs a fresh proof: a session alone, found open or stolen, is not enough for it.

A route declares it by `guards=[proven]` beside its permission. Tokens show their secret each time and pass; what only a
person may do says so by `guards=[person]`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import NotSignedInError, Principal, PrincipalKind, is_automatic_options

PROOF_LASTS = timedelta(minutes=15)
PROVE_PATH = "/account/prove"


class SudoNeededError(PudimError):
    """This needs a proof, not older than 15 minutes, that it is you."""

    code = "sudo_needed"
    status = 403
    hint = "Confirm your password or use your passkey, then do it again."


class OnlyPeopleError(PudimError):
    """Only a person who is signed in may do this, no API token."""

    code = "only_people"
    status = 403


@runtime_checkable
class ProofKeeper(Protocol):
    """The port that accounts implement."""

    async def proof_is_fresh(self, session_id: UUID, lasts: timedelta) -> bool: ...


async def proven(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: raises SudoNeededError. The gate has said before who asks."""
    principal = _principal(connection, handler)
    if principal is None or principal.kind is PrincipalKind.TOKEN:
        return
    keeper = connection.state["gate"].authenticator
    if not isinstance(keeper, ProofKeeper) or principal.session_id is None:
        raise SudoNeededError
    if not await keeper.proof_is_fresh(principal.session_id, PROOF_LASTS):
        raise SudoNeededError


async def person(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A guard: raises OnlyPeopleError."""
    principal = _principal(connection, handler)
    if principal is not None and principal.kind is not PrincipalKind.USER:
        raise OnlyPeopleError


def _principal(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> Principal | None:
    """None only for the answer to OPTIONS, which does nothing. Raises NotSignedInError."""
    if is_automatic_options(handler):
        return None
    found = connection.scope["user"]
    if not isinstance(found, Principal):
        raise NotSignedInError
    return found
