"""Who asks, and what a route demands of him: declared on the route, checked at start, enforced in one place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Litestar
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import BaseRoute, HTTPRoute

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.permissions import Permission
from pudim_collector.infra.scoping import NO_FLEET, Fleet, Scope

_OPT = "access"
ENROL_PATH = "/account/enrol"
"""Where who lacks the second factor that his team demands adds one."""
SCOPE_ARGUMENT = "within"
"""What a handler calls the Scope that it is given."""


class NotSignedInError(PudimError):
    """This needs somebody who is signed in, or an API token."""

    code = "not_signed_in"
    status = 401
    hint = "Sign in, or send an API token as `Authorization: Bearer pud_pat_...`."


class BadTokenError(PudimError):
    """The API token is unknown or revoked."""

    code = "bad_token"
    status = 401
    hint = "Make a new token on the page 'API tokens'."


class TokenExpiredError(BadTokenError):
    """The API token has expired."""

    code = "token_expired"
    hint = "Renew it on the page 'API tokens', or make a new one."


class PermissionMissingError(PudimError):
    """A permission is missing."""

    code = "permission_missing"
    status = 403

    def __init__(self, permission: str) -> None:
        super().__init__(f"This needs the permission {permission}.")
        self.permission = permission


class FactorNeededError(PudimError):
    """This team demands a second factor of its members, and this account has none."""

    code = "factor_needed"
    status = 403
    hint = "Sign in to Pudim with a browser and add an authenticator app or a passkey. API tokens of the account work again then."


class NoSenderTokenError(PudimError):
    """This takes metrics from senders, who show their token."""

    code = "no_sender_token"
    status = 401
    hint = "Send it as `Authorization: Bearer pud_snd_...`, or as the password of basic authentication."


class BadSenderTokenError(PudimError):
    """The sender's token is unknown or revoked."""

    code = "bad_sender_token"
    status = 401
    hint = "Make a new one on the page 'Senders'."


class UndeclaredAccessError(PudimError):
    """A route or a job does not say who may use it, or names an unknown permission."""

    code = "undeclared_access"
    hint = 'Give it `opt=requires("feature:action")` or `opt=public("why")`, and declare the permission in FEATURE.'


@dataclass(frozen=True)
class Requires:
    """A permission for the whole team; for the server that the path parameter `on` names; or, with `each`, for anything.

    With `enrolling` it is open also to who lacks the second factor that his team demands.
    """

    permission: str
    on: str | None = None
    each: bool = False
    enrolling: bool = False


@dataclass(frozen=True)
class Public:
    """Open to everybody, for a reason. With `identify`, the handler is told who asks, if anybody is signed in."""

    reason: str
    identify: bool = False


@dataclass(frozen=True)
class ForSenders:
    """Open to who shows a sender's token in the header; cookies and API tokens count nothing here."""


Access: TypeAlias = Requires | Public | ForSenders


def requires(
    permission: str, *, on: str | None = None, each: bool = False, enrolling: bool = False
) -> dict[str, Any]:
    """For a handler's, controller's or router's `opt`.

    Held for the whole team, unless `on` names the path parameter with the server for which it is enough; with `each` it is
    enough to hold it for any server, and the handler takes `within: NamedDependency[Scope]` and keeps to it. `enrolling`
    is for what somebody needs who has to add a second factor first, and for ways out of that.
    """
    return {_OPT: Requires(permission, on, each, enrolling)}


def public(reason: str, *, identify: bool = False) -> dict[str, Any]:
    """For a handler's, controller's or router's `opt`."""
    return {_OPT: Public(reason, identify)}


def for_senders() -> dict[str, Any]:
    """For a handler's, controller's or router's `opt`."""
    return {_OPT: ForSenders()}


def access_of(handler: BaseRouteHandler) -> Access | None:
    declared = handler.opt.get(_OPT)
    return declared if isinstance(declared, Requires | Public | ForSenders) else None


class PrincipalKind(StrEnum):
    USER = "user"
    TOKEN = "token"  # noqa: S105 - a kind, no secret


class TeamName(NamedTuple):
    """A team that somebody is in, as a page's menu names it."""

    id: UUID
    name: str


@dataclass(frozen=True)
class Grant:
    """Permissions for one server, or for all with a tag; where `within` says so, only as far as those servers and tags reach."""

    permissions: frozenset[str]
    server_id: UUID | None = None
    tag: str | None = None
    within: frozenset[Any] | None = None

    def covers(self, server_id: UUID, tags: Collection[str]) -> bool:
        if self.within is not None and server_id not in self.within and self.within.isdisjoint(tags):
            return False
        return server_id == self.server_id or (self.tag is not None and self.tag in tags)


@dataclass(frozen=True)
class Principal:
    """Who asks: a person with a session, or a program with a token; `id` is the user's or the token's.

    `permissions` are held for the whole team, `grants` for some of its servers. `tenancy` is the version of who has which
    servers that they were read with; the gate adds the `fleet` of that version or of a later one. `language` and `time_zone`
    are what he chose to read pages in, None for what the browser asks for. Who `lacks_factor` is in a team that demands a
    second factor, and has none; of a token, who made it.
    """

    kind: PrincipalKind
    id: UUID
    team_id: UUID
    name: str
    email: str | None
    role: str
    permissions: Collection[str]
    session_id: UUID | None = None
    csrf_token: str | None = field(default=None, repr=False)
    language: str | None = None
    time_zone: str | None = None
    grants: tuple[Grant, ...] = ()
    teams: tuple[TeamName, ...] = ()
    operator: bool = False
    tenancy: int = 0
    lacks_factor: bool = False
    fleet: Fleet = field(default=NO_FLEET, repr=False, compare=False)

    def may(self, permission: str) -> bool:
        """For the whole team."""
        return permission in self.permissions

    def may_on(self, permission: str, server_id: UUID) -> bool:
        """For one of the team's servers; False for another team's."""
        tags = self.fleet.tags.get(server_id)
        if tags is None:
            return False
        return self.may(permission) or any(
            permission in grant.permissions and grant.covers(server_id, tags) for grant in self.grants
        )

    def may_somewhere(self, permission: str) -> bool:
        """For the whole team or for anything in it."""
        return self.may(permission) or any(permission in grant.permissions for grant in self.grants)

    def sees(self, server_id: UUID, on_servers: Collection[str]) -> bool:
        """Whether he may anything at all with this server, of the permissions that can be held for one."""
        return any(self.may_on(permission, server_id) for permission in on_servers)

    def scope(self, permission: str) -> Scope:
        """How far he holds it."""
        if self.may(permission):
            return Scope(self.team_id, None, self.fleet)
        held = [grant for grant in self.grants if permission in grant.permissions]
        reached = (
            server_id
            for server_id, tags in (self.fleet.tags.items() if held else ())
            if any(grant.covers(server_id, tags) for grant in held)
        )
        return Scope(self.team_id, frozenset(reached), self.fleet)


@dataclass(frozen=True)
class Sender:
    """A program that brings in metrics of its own; its token allows nothing else."""

    id: UUID
    team_id: UUID
    name: str
    most_series: int
    most_servers: int


class SenderAuthenticator(Protocol):
    """The port that senders implement; None for a token that is unknown or revoked."""

    async def by_sender_token(self, secret: str, address: str) -> Sender | None: ...


class Authenticator(Protocol):
    """The port that accounts and tokens implement; each returns None for what is unknown, revoked or expired."""

    async def by_session(self, secret: str) -> Principal | None: ...

    async def by_token(self, secret: str) -> Principal | None:
        """Raises TokenExpiredError for one that was good."""
        ...


def check_declared(app: Litestar, permissions: Mapping[str, Permission]) -> None:
    """Raise UndeclaredAccessError for the first route that says nothing, or what cannot be enforced."""
    for route, handler in _handlers(app):
        access = access_of(handler)
        if access is None and not is_automatic_options(handler):
            raise UndeclaredAccessError(f"{route.path} ({handler}) declares no access")
        if isinstance(access, Requires):
            _check_required(route, handler, access, permissions)
        if isinstance(access, Public) and not access.reason.strip():
            raise UndeclaredAccessError(f"{route.path} is public without a reason")


def _check_required(
    route: BaseRoute, handler: BaseRouteHandler, access: Requires, permissions: Mapping[str, Permission]
) -> None:
    declared = permissions.get(access.permission)
    if declared is None:
        raise UndeclaredAccessError(f"{route.path} requires {access.permission}, which no feature declares")
    if (access.on or access.each) and not declared.on_server:
        raise UndeclaredAccessError(
            f"{route.path} asks for {access.permission} on servers, where nobody can hold it: declare it with on_server"
        )
    if "server_id" in route.path_parameters and access.on != "server_id":
        raise UndeclaredAccessError(f'{route.path} names a server: require it on="server_id"')
    if access.on and access.on not in route.path_parameters:
        raise UndeclaredAccessError(f"{route.path} requires it on {access.on}, which its path does not name")
    if access.each and SCOPE_ARGUMENT not in handler.parsed_fn_signature.parameters:
        raise UndeclaredAccessError(
            f"{route.path} lets in who holds {access.permission} for anything, but takes no `{SCOPE_ARGUMENT}: Scope`"
        )


def is_automatic_options(handler: BaseRouteHandler) -> bool:
    """Litestar's own answer to OPTIONS, which only lists the methods."""
    return isinstance(handler, HTTPRouteHandler) and handler.http_methods == {"OPTIONS"}


def _handlers(app: Litestar) -> Iterator[tuple[BaseRoute, BaseRouteHandler]]:
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        yield from ((route, handler) for handler in handlers)


def safe_local_path(wanted: str | None, default: str = "/") -> str:
    """`wanted` if it stays on this site whatever a browser makes of it, else `default`."""
    if not wanted or not wanted.startswith("/") or wanted[1:2] in {"/", "\\"}:
        return default
    if "\\" in wanted or any(ord(character) < 0x21 or ord(character) == 0x7F for character in wanted):  # noqa: PLR2004
        return default
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else wanted
