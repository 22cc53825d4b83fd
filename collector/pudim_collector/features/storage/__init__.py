"""What the store holds, how it grows, and how long it is kept."""

from pathlib import Path

from pudim_collector.features.storage.pages import StoragePages
from pudim_collector.features.storage.routes import StorageApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="storage",
    controllers=(StorageApi, StoragePages),
    permissions={
        "installation:read": "See what the store holds and how it grows",
        "installation:write": "Change how long samples are kept",
    },
    navigation=(NavigationEntry("Storage", "/storage", "database", "installation:read"),),
    migrations=MigrationApp("storage", Path(__file__).parent / "piccolo_migrations"),
)
