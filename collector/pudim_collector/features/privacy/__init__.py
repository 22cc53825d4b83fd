"""What is held about whom: a person takes it all along, is forgotten, and what nobody needs goes by age."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.privacy.pages import PrivacyPages
from pudim_collector.features.privacy.personal import KEPT, PERSONAL
from pudim_collector.features.privacy.routes import PrivacyApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="privacy",
    controllers=(PrivacyApi, PrivacyPages),
    permissions={
        "installation:people": "Answer requests of people for their data, and delete their accounts",
        "installation:retention": "Set how long this installation keeps what",
    },
    navigation=(NavigationEntry("Retention", "/retention", "trash", "installation:retention"),),
    account_tabs=(NavigationEntry("Your data", "/account/data", "download", "account:secure"),),
    migrations=MigrationApp("privacy", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
