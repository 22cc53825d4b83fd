"""What can be permitted at all, and which role may what: said beside each permission, worked out once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """The roles that every team has; `own` stands for one that a team made itself.

    A guest has what everybody has who is signed in, and beside it what is granted to him on single servers.
    """

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    VIEWER = "viewer"
    GUEST = "guest"
    OWN = "own"


BUILT_IN = (Role.OWNER, Role.ADMIN, Role.DEVELOPER, Role.VIEWER, Role.GUEST)
"""From the one that may everything to the one that may least; each may what the next one may, and more."""


AREAS: Mapping[str, str] = {
    "account": "Your account",
    "addresses": "Addresses",
    "audit": "Audit log",
    "checks": "Checks",
    "commands": "Commands",
    "installation": "The installation",
    "members": "Members",
    "owners": "Owners",
    "profile": "Your profile",
    "roles": "Roles",
    "senders": "Senders",
    "servers": "Servers",
    "team": "The team",
    "tokens": "API tokens",
}
"""What stands before a permission's colon, in words for people."""


def area_of(permission: str) -> str:
    return AREAS[permission.partition(":")[0]]


@dataclass(frozen=True)
class Permission:
    """What one name allows, in words for people.

    `least` is the lowest built-in role that has it; where a feature says nothing, that is the admin. With `on_server`
    it can be held for single servers. What begins with `installation:` belongs to no team: its operators have it, and no role.
    """

    words: str
    least: Role = Role.ADMIN
    on_server: bool = False


def declared(permissions: Mapping[str, Permission | str]) -> dict[str, Permission]:
    """With the usual answers where only words are given."""
    return {name: Permission(one) if isinstance(one, str) else one for name, one in permissions.items()}


def _is_installations(name: str) -> bool:
    return name.startswith("installation:")


class Rights:
    """What each role may of all that features declare."""

    def __init__(self, permissions: Mapping[str, Permission | str]) -> None:
        self.declared: Mapping[str, Permission] = declared(permissions)
        self._by_role = {
            role: frozenset(
                name
                for name, one in self.declared.items()
                if not _is_installations(name) and role in BUILT_IN[: BUILT_IN.index(one.least) + 1]
            )
            for role in BUILT_IN
        }
        self.on_servers = frozenset(name for name, one in self.declared.items() if one.on_server)
        self.operators = frozenset(name for name in self.declared if _is_installations(name))
        self.grantable = self._by_role[Role.OWNER]

    def of(self, role: str, own: Iterable[str] | None = None) -> frozenset[str]:
        """All that a role allows in its team; `own` are the names that a team's own role is made of.

        Nothing for a role that is not known: an older program may meet a newer one's database.
        """
        if role == Role.OWN:
            return self._by_role[Role.GUEST] | (self.grantable & frozenset(own or ()))
        return self._by_role.get(Role(role), frozenset()) if role in BUILT_IN else frozenset()
