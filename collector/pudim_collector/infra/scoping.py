"""How far somebody reaches, and the one way to rows that belong to a team: no statement on them without a scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, LiteralString, Protocol, cast
from uuid import UUID

from psycopg.rows import TupleRow

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.database import database

NO_TEAM = UUID(int=0)
"""The team of who belongs to none; nothing can belong to it."""
OF_TEAM: LiteralString = "team_id = {team}"
IN_SCOPE: LiteralString = (
    "servers.team_id = {team} AND ({servers}::uuid[] IS NULL OR servers.id = ANY ({servers}::uuid[]))"
)
BY_SERVER: LiteralString = (
    "server_id IN (SELECT id FROM servers WHERE team_id = {team}"
    " AND ({servers}::uuid[] IS NULL OR id = ANY ({servers}::uuid[])))"
)


class NoSuchServer(PudimError):
    """There is no server with this id."""

    code = "no_such_server"
    status = 404


class UnscopedStatementError(PudimError):
    """A statement on a team's rows does not say whose they are."""

    code = "unscoped_statement"
    hint = "Put scoping.OF_TEAM, scoping.IN_SCOPE or scoping.BY_SERVER into its WHERE."


@dataclass(frozen=True)
class Fleet:
    """A team's servers with their tags."""

    tags: Mapping[UUID, frozenset[str]]

    @cached_property
    def ids(self) -> frozenset[UUID]:
        return frozenset(self.tags)


NO_FLEET = Fleet({})


class Directory(Protocol):
    """Which servers each team has, kept in memory; the servers feature brings it."""

    async def fleet(self, team_id: UUID, version: int) -> Fleet:
        """As of that version of the tenancy, or a later one."""
        ...


@dataclass(frozen=True)
class Scope:
    """How far a permission reaches: some servers of a team, or where `servers` is None the team with all that it has."""

    team_id: UUID
    servers: frozenset[UUID] | None = None
    fleet: Fleet = NO_FLEET

    @property
    def visible(self) -> frozenset[UUID]:
        """The servers that there are within it."""
        return self.fleet.ids if self.servers is None else self.servers

    def existing(self, wanted: Iterable[UUID]) -> frozenset[UUID]:
        """The `wanted` servers. Raises NoSuchServer for one that is not within this scope."""
        found = frozenset(wanted)
        if not found <= self.visible:
            raise NoSuchServer
        return found

    def tagged(self, tags: Iterable[str]) -> frozenset[UUID]:
        """The servers that have all of `tags`."""
        wanted = frozenset(tags)
        return frozenset(one for one in self.visible if wanted <= self.fleet.tags.get(one, frozenset()))


async def rows(scope: Scope, query: LiteralString, *parameters: object) -> list[TupleRow]:
    """What a statement finds within the scope; it says where by OF_TEAM, IN_SCOPE or BY_SERVER.

    Raises UnscopedStatementError for one that does not.
    """
    statement, values = scoped(scope, query, parameters)
    async with database.connection() as connection:
        cursor = await connection.execute(statement, values)
        return await cursor.fetchall() if cursor.description else []


def scoped(
    scope: Scope, query: LiteralString, parameters: Sequence[object]
) -> tuple[LiteralString, list[Any]]:
    """The statement with its scope as further parameters."""
    if "{team}" not in query:
        raise UnscopedStatementError
    values = [*parameters, scope.team_id]
    text: Any = query.replace("{team}", f"${len(values)}::uuid")
    if "{servers}" in query:
        values.append(None if scope.servers is None else list(scope.servers))
        text = text.replace("{servers}", f"${len(values)}")
    return cast(LiteralString, text), values
