"""Who may use Pudim, and how they prove it."""

from pathlib import Path

from pudim_collector.features.accounts.pages import AccountPages
from pudim_collector.features.accounts.personal import KEPT, PERSONAL
from pudim_collector.features.accounts.routes import AccountRoutes
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="accounts",
    controllers=(AccountRoutes, AccountPages),
    permissions={
        "account:read": Permission("See who is signed in, and sign out", Role.GUEST),
    },
    migrations=MigrationApp("accounts", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
