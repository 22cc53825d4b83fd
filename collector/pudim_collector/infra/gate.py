"""The one place where requests are let in: after routing, before any handler, default deny.

A Bearer token counts alone: a bad one is refused even beside a good cookie. Cookies are believed only from our own
pages: browsers say where a request comes from, and unsafe methods also carry a token bound to the session. Where
senders bring metrics, only their own tokens count, and only in the header.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import (
    Authenticator,
    BadSenderTokenError,
    BadTokenError,
    FactorNeededError,
    ForSenders,
    NoSenderTokenError,
    NotSignedInError,
    PermissionMissingError,
    Principal,
    Public,
    Requires,
    Sender,
    SenderAuthenticator,
    access_of,
    is_automatic_options,
)
from pudim_collector.infra.permissions import Permission
from pudim_collector.infra.scoping import Directory, NoSuchServer
from pudim_collector.infra.scoping import Scope as Reach

CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"
_GATE = "gate"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class ForeignOriginError(PudimError):
    """The request comes from a page of another site."""

    code = "foreign_origin"
    status = 403
    hint = "Behind a proxy, let it pass the Host header on, or set PUDIM_PUBLIC_URL."


class CsrfTokenError(PudimError):
    """The form's token is missing or belongs to another session."""

    code = "csrf_token"
    status = 403
    hint = "Load the page again and repeat."


class UnknownHostError(PudimError):
    """Nothing is served under this host name."""

    code = "unknown_host"
    status = 400


@dataclass(frozen=True)
class EdgeSettings:
    """`hosts`: names to answer under, all when empty. `own_hosts`: host[:port] of pages whose requests are ours."""

    hosts: frozenset[str] = frozenset()
    own_hosts: frozenset[str] = frozenset()
    hsts_subdomains: bool = False


def cookie_name(scheme: str) -> str:
    """`__Host-` keeps sibling subdomains from planting it; browsers allow that name on HTTPS only."""
    return "__Host-pudim" if scheme in {"https", "wss"} else "pudim"


class AddressRules(Protocol):
    """The port that lists of allowed addresses implement; raises a refusal for an address that is on none."""

    async def check(self, principal: Principal, address: str | None) -> None: ...


@dataclass
class Gate(ASGIMiddleware):
    authenticator: Authenticator
    settings: EdgeSettings = field(default_factory=EdgeSettings)
    senders: SenderAuthenticator | None = None
    directory: Directory | None = None
    permissions: Mapping[str, Permission] = field(default_factory=dict)
    addresses: AddressRules | None = None

    scopes = (ScopeType.HTTP, ScopeType.WEBSOCKET, ScopeType.ASGI)

    def __post_init__(self) -> None:
        self._on_servers = [name for name, one in self.permissions.items() if one.on_server]

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope, receive, send)
        connection.state[_GATE] = self
        try:
            scope["user"] = await self.admit(connection)
        except PudimError as refusal:
            if scope["type"] == ScopeType.WEBSOCKET:
                raise _for_websocket(refusal) from refusal
            raise
        await next_app(scope, receive, send)

    async def admit(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | Sender | None:
        """Who asks, None if nobody is known and nobody need be; raises if he may not."""
        self._check_host(connection)
        access = access_of(connection.route_handler)
        if access is None and not is_automatic_options(connection.route_handler):
            raise PermissionMissingError("(none declared)")
        if isinstance(access, ForSenders):
            self._check_origin(connection)
            return await self._sender(connection)
        if not isinstance(access, Requires):
            self._check_origin(connection)
            identify = isinstance(access, Public) and access.identify
            return await self._by_cookie(connection) if identify else None
        principal = await self._by_bearer(connection)
        if principal is None:
            principal = await self._by_trusted_cookie(connection)
        principal = await self._with_fleet(principal)
        connection.scope["user"] = principal  # also of who is refused: the audit log tells of him
        if self.addresses is not None:
            await self.addresses.check(principal, connection.client.host if connection.client else None)
        if principal.lacks_factor and not access.enrolling:
            raise FactorNeededError
        self._check_permission(connection, access, principal)
        return principal

    async def _with_fleet(self, principal: Principal) -> Principal:
        """As fresh as who asks is: a server that changed hands is not found by its former team's next request."""
        if self.directory is None:
            return principal
        return replace(principal, fleet=await self.directory.fleet(principal.team_id, principal.tenancy))

    def _check_permission(
        self, connection: ASGIConnection[Any, Any, Any, Any], access: Requires, principal: Principal
    ) -> None:
        """Raises PermissionMissingError, or NoSuchServer for a server of which he may know nothing."""
        if access.on is not None:
            server_id = connection.path_params.get(access.on)
            if not isinstance(server_id, UUID) or not principal.sees(server_id, self._on_servers):
                raise NoSuchServer
            held = principal.may_on(access.permission, server_id)
        elif access.each:
            held = principal.may_somewhere(access.permission)
        else:
            held = principal.may(access.permission)
        if not held:
            raise PermissionMissingError(access.permission)

    async def _by_bearer(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        principal = await self.authenticator.by_token(secret.strip())
        if principal is None:
            raise BadTokenError
        return principal

    async def _sender(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Sender:
        secret = _sender_secret(connection.headers.get("authorization", ""))
        if not secret or self.senders is None:
            raise NoSenderTokenError
        address = connection.client.host if connection.client else ""
        sender = await self.senders.by_sender_token(secret, address)
        if sender is None:
            raise BadSenderTokenError
        return sender

    async def _by_cookie(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal | None:
        secret = connection.cookies.get(cookie_name(connection.url.scheme))
        return await self.authenticator.by_session(secret) if secret else None

    async def _by_trusted_cookie(self, connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
        principal = await self._by_cookie(connection)
        if principal is None:
            raise NotSignedInError
        self._check_origin(connection)
        if connection.scope["type"] == ScopeType.HTTP and connection.scope["method"] not in _SAFE_METHODS:
            await _check_csrf_token(connection, principal)
        return principal

    def _check_host(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        authority = _authority(f"//{connection.headers.get('host', '')}")
        if authority is None or (self.settings.hosts and authority.hostname not in self.settings.hosts):
            raise UnknownHostError

    def _check_origin(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        """Refuse what a browser says another site's page started. Programs send neither header, and pass."""
        headers = connection.headers
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site == "same-origin" or (origin is None and site in {None, "none"}):
            return
        if origin is None and _is_navigation(connection):
            return  # a link on another site may lead here
        own = self.settings.own_hosts | {headers.get("host", "").lower()}
        authority = _authority(origin or "")
        if site is not None or authority is None or authority.netloc not in own:
            raise ForeignOriginError


def _authority(address: str) -> SplitResult | None:
    """None for what is no address at all."""
    try:
        return urlsplit(address.lower())
    except ValueError:
        return None


def _sender_secret(authorization: str) -> str:
    """A Bearer token, or the password of basic authentication; empty for anything else."""
    scheme, _, shown = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return b64decode(shown.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""


async def admit_again(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raises what the gate would raise if the request came now."""
    gate: Gate = connection.state[_GATE]
    connection.scope["user"] = await gate.admit(connection)


def scope_now(connection: ASGIConnection[Any, Any, Any, Any], before: Reach) -> Reach:
    """How far the route's permission reached when the gate was asked last, which a long stream does again and again."""
    principal, access = connection.scope["user"], access_of(connection.route_handler)
    if not isinstance(principal, Principal) or not isinstance(access, Requires):
        return before
    return principal.scope(access.permission)


def _is_navigation(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    return (
        connection.scope["type"] == ScopeType.HTTP
        and connection.scope["method"] in _SAFE_METHODS
        and connection.headers.get("sec-fetch-mode") == "navigate"
    )


async def _check_csrf_token(connection: ASGIConnection[Any, Any, Any, Any], principal: Principal) -> None:
    given = connection.headers.get(CSRF_HEADER)
    if given is None and connection.headers.get("content-type", "").startswith(_FORMS):
        request: Request[Any, Any, Any] = Request(connection.scope, connection.receive, connection.send)
        given = str((await request.form()).get(CSRF_FIELD, ""))
    expected = principal.csrf_token or ""
    if not expected or not given or not hmac.compare_digest(given.encode(), expected.encode()):
        raise CsrfTokenError


def _for_websocket(refusal: PudimError) -> WebSocketException:
    """Litestar closes the socket with this; codes from 4000 on are the application's."""
    return WebSocketException(detail=refusal.code, code=4000 + refusal.status)
