"""What hosts are asked to do, where their own policies allow it, and what became of it."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.commands.pages import CommandPages
from pudim_collector.features.commands.personal import KEPT, PERSONAL
from pudim_collector.features.commands.routes import CommandsApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="commands",
    controllers=[CommandsApi, CommandPages],
    permissions={
        "commands:read": Permission(
            "See what was asked of hosts, and what they answered", Role.VIEWER, on_server=True
        ),
        "commands:run": Permission(
            "Ask hosts for what their own policies allow", Role.DEVELOPER, on_server=True
        ),
    },
    migrations=MigrationApp("commands", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
