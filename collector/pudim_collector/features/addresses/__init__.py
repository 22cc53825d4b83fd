"""From which addresses a team's people and programs may ask, and one token may."""

from pathlib import Path

from pudim_collector.features.addresses.pages import AddressPages
from pudim_collector.features.addresses.routes import AddressesApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="addresses",
    controllers=(AddressesApi, AddressPages),
    permissions={
        "addresses:manage": "See and change from which addresses the team and its tokens may be used"
    },
    account_tabs=(NavigationEntry("Addresses", "/account/addresses", "key", "addresses:manage"),),
    migrations=MigrationApp("addresses", Path(__file__).parent / "piccolo_migrations"),
)
