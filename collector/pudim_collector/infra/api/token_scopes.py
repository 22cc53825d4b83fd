"""What a token is narrowed to: some of the permissions that its role has, and some servers. It only ever takes away."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import Grant, PermissionMissingError, Principal

MOST_SCOPES = 64
MOST_RESOURCES = 100
ALWAYS = frozenset({"account:read"})
"""Whoever holds a token may learn what it is good for."""

One = TypeVar("One")


class UnknownScopeError(PudimError):
    """There is no permission of this name."""

    code = "unknown_scope"
    status = 422
    hint = "GET /api/v2/token lists the permissions that you have."


class NarrowerError(PudimError):
    """A token that is narrowed to some servers makes tokens for no others."""

    code = "wider_token"
    status = 403


@dataclass(frozen=True)
class Narrowing:
    """None of each is all. What concerns servers is left for these `servers`, and for those with one of these `tags`."""

    scopes: tuple[str, ...] | None = None
    servers: tuple[UUID, ...] | None = None
    tags: tuple[str, ...] | None = None

    @classmethod
    def to(
        cls, scopes: Sequence[str] | None, servers: Sequence[UUID] | None, tags: Sequence[str] | None
    ) -> Narrowing:
        return cls(_each_once(scopes), _each_once(servers), _each_once(tags))

    @property
    def is_none(self) -> bool:
        return self == NOT_NARROWED

    @property
    def some_servers(self) -> bool:
        return self.servers is not None or self.tags is not None

    def check(self, declared: Collection[str], principal: Principal) -> None:
        """Raises UnknownScopeError, or PermissionMissingError for what who asks may nowhere himself."""
        for scope in self.scopes or ():
            if scope not in declared:
                raise UnknownScopeError(f"There is no permission {scope}.")
            if not principal.may_somewhere(scope):
                raise PermissionMissingError(scope)

    def within(self, outer: Narrowing) -> Narrowing:
        """What a token that is narrowed to `outer` may make. Raises PermissionMissingError or NarrowerError."""
        if outer.scopes is not None:
            for scope in self.scopes or ():
                if scope not in outer.scopes and scope not in ALWAYS:
                    raise PermissionMissingError(scope)
        found = self if self.scopes is not None else replace(self, scopes=outer.scopes)
        if not outer.some_servers:
            return found
        if not self.some_servers:
            return replace(found, servers=outer.servers, tags=outer.tags)
        if not (_among(self.servers, outer.servers) and _among(self.tags, outer.tags)):
            raise NarrowerError
        return found

    def applied(
        self, held: frozenset[str], grants: tuple[Grant, ...], *, on_servers: frozenset[str]
    ) -> tuple[frozenset[str], tuple[Grant, ...]]:
        """What is left of what is held for the whole team, and for some servers."""
        if self.scopes is not None:
            wanted = frozenset(self.scopes) | ALWAYS
            held &= wanted
            grants = tuple(replace(one, permissions=one.permissions & wanted) for one in grants)
        if not self.some_servers:
            return held, grants
        reach, within = held & on_servers, frozenset((*(self.servers or ()), *(self.tags or ())))
        return held - on_servers, (
            *(Grant(reach, server_id=one) for one in self.servers or ()),
            *(Grant(reach, tag=one) for one in self.tags or ()),
            *(replace(one, within=within) for one in grants),
        )


NOT_NARROWED = Narrowing()


def _each_once(values: Sequence[One] | None) -> tuple[One, ...] | None:
    return None if values is None else tuple(dict.fromkeys(values))


def _among(inner: tuple[One, ...] | None, outer: tuple[One, ...] | None) -> bool:
    return set(inner or ()) <= set(outer or ())
