"""What programs that use the API are told about it: what of it is going to end, and who still uses that."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.conventions.personal import KEPT, PERSONAL
from pudim_collector.features.conventions.routes import DeprecationsApi
from pudim_collector.infra.api.idempotency import SEALED_ANSWERS
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(
    name="conventions",
    controllers=[DeprecationsApi],
    migrations=MigrationApp("conventions", Path(__file__).parent / "piccolo_migrations"),
    sealed=[SEALED_ANSWERS],
    personal=PERSONAL,
    kept=KEPT,
)
