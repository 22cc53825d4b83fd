"""Managed hosts: enrolment, what is known of them, revocation."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.servers.pages import ServerPages
from pudim_collector.features.servers.personal import KEPT
from pudim_collector.features.servers.routes import AgentEnrolment, EnrolmentTokens, ServersApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="servers",
    controllers=[ServersApi, EnrolmentTokens, AgentEnrolment, ServerPages],
    permissions={
        "servers:read": Permission("See servers and their metrics", Role.VIEWER, on_server=True),
        "servers:enrol": Permission("Add servers"),
        "servers:change": Permission("Rename servers and tag them", on_server=True),
        "servers:revoke": Permission("Take nothing more from a server's agent", on_server=True),
    },
    navigation=[NavigationEntry("Servers", "/servers", "server", "servers:read")],
    migrations=MigrationApp("servers", Path(__file__).parent / "piccolo_migrations"),
    kept=KEPT,
)
