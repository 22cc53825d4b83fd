"""Servers as ingest asks for them when others bring metrics, answered by the servers feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pudim_collector.features.servers.rules import ServerRevoked as Revoked
from pudim_collector.features.servers.service import OutsideServers, TooManyServers
from pudim_collector.infra.auth import Sender
from pudim_collector.ingest.outside.refusals import ServerCap, ServerRevoked


@dataclass(frozen=True)
class PlacedServers:
    """Implements pudim_collector.ingest.outside.ports.Servers."""

    servers: OutsideServers

    async def place(self, names: Sequence[str], sender: Sender) -> UUID:
        try:
            return await self.servers.place(names, sender)
        except TooManyServers as refusal:
            raise ServerCap(refusal.detail) from refusal
        except Revoked as refusal:
            raise ServerRevoked(refusal.detail) from refusal

    async def seen(self, servers: Sequence[UUID]) -> None:
        await self.servers.seen(servers)
