"""How complete each server's days are, and why what is missing is missing."""

from pathlib import Path

from pudim_collector.features.completeness.routes import CompletenessApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(
    name="completeness",
    controllers=(CompletenessApi,),
    migrations=MigrationApp("completeness", Path(__file__).parent / "piccolo_migrations"),
)
