"""Whether what people rely on works: checks that agents run, their definitions and newest results."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.uptime.pages import CheckPages
from pudim_collector.features.uptime.routes import CheckKindsApi, ChecksApi
from pudim_collector.features.uptime.service import CHECK_SECRETS
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="uptime",
    controllers=[ChecksApi, CheckKindsApi, CheckPages],
    permissions={
        "checks:read": Permission(
            "See checks and their results; secrets in their settings are never shown",
            Role.VIEWER,
            on_server=True,
        ),
        "checks:write": Permission(
            "Define what agents check, which is what they connect to", Role.DEVELOPER, on_server=True
        ),
    },
    migrations=MigrationApp("uptime", Path(__file__).parent / "piccolo_migrations"),
    sealed=[CHECK_SECRETS],
)
