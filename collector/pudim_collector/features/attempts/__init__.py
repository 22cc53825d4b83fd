"""Who tried in vain to get in, and how long he has to wait."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.attempts.personal import PERSONAL
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(
    name="attempts",
    migrations=MigrationApp("attempts", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
)
