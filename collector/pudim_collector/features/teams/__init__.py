"""Teams: who is in which and as what, their own roles, and what is granted on single servers."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(
    name="teams",
    migrations=MigrationApp("teams", Path(__file__).parent / "piccolo_migrations"),
)
