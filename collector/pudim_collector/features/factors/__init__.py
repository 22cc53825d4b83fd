"""What somebody proves beside a password: codes of an authenticator app, and codes on paper for the day that it is lost."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.factors.pages import FactorPages
from pudim_collector.features.factors.personal import PERSONAL
from pudim_collector.features.factors.routes import FactorRoutes
from pudim_collector.features.factors.service import RECOVERY_KEYS, TOTP_SECRETS
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="factors",
    controllers=(FactorRoutes, FactorPages),
    account_tabs=(NavigationEntry("Second factors", "/account/factors", "key", "account:secure"),),
    migrations=MigrationApp("factors", Path(__file__).parent / "piccolo_migrations"),
    sealed=[TOTP_SECRETS, RECOVERY_KEYS],
    personal=PERSONAL,
)
