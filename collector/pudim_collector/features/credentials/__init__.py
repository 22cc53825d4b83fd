"""Password and address of an account: change them, and get in again when the password is lost."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.credentials.pages import CredentialPages
from pudim_collector.features.credentials.personal import KEPT, PERSONAL
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="credentials",
    controllers=(CredentialPages,),
    account_tabs=(NavigationEntry("Password", "/account/password", "key", "account:secure"),),
    migrations=MigrationApp("credentials", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
