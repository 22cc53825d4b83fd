"""How programs prove who they are: tokens of people, and of a team's services."""

from pathlib import Path

from pudim_collector.features.tokens.pages import TokenPages
from pudim_collector.features.tokens.personal import KEPT, PERSONAL
from pudim_collector.features.tokens.routes import TokenRoutes
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="tokens",
    controllers=(TokenRoutes, TokenPages),
    permissions={
        "tokens:own": Permission("Make, see and revoke one's own API tokens", Role.VIEWER),
        "tokens:manage": Permission("See and revoke everybody's API tokens, and make those of services"),
    },
    navigation=(NavigationEntry("API tokens", "/account/tokens", "key", "tokens:own"),),
    account_tabs=(NavigationEntry("API tokens", "/account/tokens", "key", "tokens:own"),),
    migrations=MigrationApp("tokens", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
