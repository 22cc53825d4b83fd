"""Takes the servers of a team that ends away, with all that was stored of them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.features.servers import queries
from pudim_collector.features.servers.service import REVOKED
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.infra.scoping import Scope
from pudim_collector.series.statements import run
from pudim_collector.series.turns import upkeep_turn


@dataclass(frozen=True)
class ServersOfTeam:
    """Implements pudim_collector.features.teams.service.Removal, within the caller's transaction."""

    database: PsycopgEngine
    announcements: Announcements

    async def __call__(self, team_id: UUID) -> int:
        # Nobody rolls up meanwhile what goes away.
        async with upkeep_turn(self.database), self.database.connection() as connection:
            await connection.execute("SET LOCAL statement_timeout = 0")
            gone = [one.id for one in await queries.all_servers(Scope(team_id))]
            await run(connection, "forget_servers", gone)
            await queries.delete_servers(gone)
            for server_id in gone:
                await self.announcements.announce(REVOKED, server_id.hex)
        return len(gone)
