"""Managed hosts: enrolment, what is known of them, revocation."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.servers.pages import ServerPages
from pudim_collector.features.servers.routes import AgentEnrolment, EnrolmentTokens, ServersApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="servers",
    controllers=[ServersApi, EnrolmentTokens, AgentEnrolment, ServerPages],
    permissions={
        "servers:read": "See servers and their metrics",
        "servers:enrol": "Add servers",
        "servers:change": "Rename servers and tag them",
        "servers:revoke": "Take nothing more from a server's agent",
    },
    navigation=[NavigationEntry("Servers", "/servers", "server", "servers:read")],
    migrations=MigrationApp("servers", Path(__file__).parent / "piccolo_migrations"),
)
