"""What somebody is in a team, as it is read with each of his requests, and what he may by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import msgspec

from pudim_collector.infra.auth import Grant
from pudim_collector.infra.permissions import Rights, Role


class GrantRow(NamedTuple):
    """A role for one server or for a tag; `own` are the permissions of a team's own role."""

    role: str
    own: tuple[str, ...] | None
    server_id: UUID | None
    tag: str | None


@dataclass(frozen=True)
class Standing:
    """What somebody is in a team, as of now; without a role he is not in it.

    `tenancy` is the version of which team has which servers. Who `lacks_factor` has no second factor, which the team demands.
    """

    team_id: UUID | None
    role: str | None
    own_name: str | None
    own: Sequence[str] | None
    grants: Sequence[GrantRow]
    tenancy: int
    operator: bool
    lacks_factor: bool

    def held(self, rights: Rights) -> frozenset[str]:
        """What he may in all of the team, and for the installation."""
        held = rights.of(self.role or Role.GUEST, self.own)
        return held | rights.operators if self.operator else held

    def granted(self, rights: Rights) -> tuple[Grant, ...]:
        """What he may on single servers."""
        return tuple(_granted(self.grants, rights))


def read_grants(encoded: str | None) -> list[GrantRow]:
    """As a statement collects them with json_agg."""
    return [] if encoded is None else msgspec.json.decode(encoded, type=list[GrantRow])


def _granted(grants: Iterable[GrantRow], rights: Rights) -> Iterable[Grant]:
    for one in grants:
        yield Grant(rights.of(one.role, one.own) & rights.on_servers, one.server_id, one.tag)
