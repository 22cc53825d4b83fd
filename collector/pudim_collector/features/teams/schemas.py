"""Teams at the HTTP edge."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.factors.service import TeamDemand
from pudim_collector.features.teams.queries import TeamRecord

ShortName = Annotated[str, Meta(min_length=1, max_length=128)]


class Team(Struct):
    """A team; what there is belongs to one."""

    id: UUID
    name: str

    @classmethod
    def of(cls, record: TeamRecord) -> Team:
        return cls(record.id, record.name)


class TeamPage(Struct):
    items: list[Team]
    next_cursor: str | None = None


class TeamWish(Struct, forbid_unknown_fields=True):
    """What the team is called; to delete it, its name as it is written."""

    name: ShortName


class TeamChoice(Struct, forbid_unknown_fields=True):
    """The team to go to."""

    team_id: UUID


class TeamSecondFactor(Struct):
    """Whether a team demands a second factor of its members, and how many of them have none."""

    demanded: bool
    members: int
    without: int

    @classmethod
    def of(cls, demand: TeamDemand) -> TeamSecondFactor:
        return cls(demand.demanded, demand.members, demand.without)


class SecondFactorWish(Struct, forbid_unknown_fields=True):
    """Whether to demand it from now on."""

    demanded: bool


class SwitchForm(Struct):
    """`team` is the id of the one to go to."""

    team: str = ""


class TeamNameForm(Struct):
    name: str = ""
