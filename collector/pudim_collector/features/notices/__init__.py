"""The newest word of each agent on what its host is like: facts, containers, units, processes, disks."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.notices.pages import NoticePages
from pudim_collector.features.notices.routes import NoticesApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(
    name="notices",
    controllers=[NoticesApi, NoticePages],
    migrations=MigrationApp("notices", Path(__file__).parent / "piccolo_migrations"),
)
