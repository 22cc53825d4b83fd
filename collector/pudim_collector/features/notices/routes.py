"""What agents said of their hosts, in the API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from pudim_collector.features.notices.schemas import (
    HostContainers,
    HostDisks,
    HostFacts,
    HostMetricSources,
    HostPolicy,
    HostProcesses,
    HostUnits,
    Kind,
)
from pudim_collector.features.notices.service import HostNotices
from pudim_collector.features.servers.service import Servers
from pudim_collector.infra.auth import requires
from pudim_collector.infra.scoping import Scope


class NoticesApi(Controller):
    path = "/api/v2/servers/{server_id:uuid}"
    tags = ("Hosts",)

    @get("/facts", opt=requires("servers:read", on="server_id"), operation_id="get_host_facts")
    async def facts(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> HostFacts:
        """What a server's host is: system, kernel, processor, addresses."""
        return HostFacts(**await _told(servers, notices, within, server_id, Kind.FACTS))

    @get("/processes", opt=requires("servers:read", on="server_id"), operation_id="get_host_processes")
    async def processes(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> HostProcesses:
        """The processes that use the most processor time and memory."""
        return HostProcesses(**await _told(servers, notices, within, server_id, Kind.PROCESSES))

    @get("/containers", opt=requires("servers:read", on="server_id"), operation_id="get_host_containers")
    async def containers(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> HostContainers:
        """The host's containers, with their state and health."""
        return HostContainers(**await _told(servers, notices, within, server_id, Kind.CONTAINERS))

    @get("/units", opt=requires("servers:read", on="server_id"), operation_id="get_host_units")
    async def units(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> HostUnits:
        """The host's systemd units, failed ones first."""
        return HostUnits(**await _told(servers, notices, within, server_id, Kind.UNITS))

    @get("/disks", opt=requires("servers:read", on="server_id"), operation_id="get_host_disks")
    async def disks(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> HostDisks:
        """How the host's disks are by their own judgement, and its arrays."""
        return HostDisks(**await _told(servers, notices, within, server_id, Kind.DISKS))

    @get("/custom", opt=requires("servers:read", on="server_id"), operation_id="get_host_metric_sources")
    async def custom(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> HostMetricSources:
        """Where the agent collects metrics of other programs, and what it had to drop."""
        return HostMetricSources(**await _told(servers, notices, within, server_id, Kind.CUSTOM))

    @get("/policy", opt=requires("servers:read", on="server_id"), operation_id="get_host_policy")
    async def policy(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        notices: NamedDependency[HostNotices],
    ) -> HostPolicy:
        """What the host lets this collector do."""
        return HostPolicy(**await _told(servers, notices, within, server_id, Kind.POLICY))


async def _told(
    servers: Servers, notices: HostNotices, within: Scope, server_id: UUID, kind: Kind
) -> dict[str, Any]:
    """The fields of an answer. Raises NoSuchServer."""
    server = await servers.one(within, server_id)
    found = await notices.one(within, server_id, kind)
    if found is None:
        return {"at": None, "received_at": None, "old": None, "document": None}
    old = notices.is_old(found, server)
    return {"at": found.at, "received_at": found.received_at, "old": old, "document": found.document}
