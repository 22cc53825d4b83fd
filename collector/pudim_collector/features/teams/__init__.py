"""Teams: what belongs together and is seen from no other; each person is in some."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.teams.pages import TeamPages
from pudim_collector.features.teams.routes import OwnTeamsApi, TeamApi, TeamFactorApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="teams",
    controllers=[OwnTeamsApi, TeamApi, TeamFactorApi, TeamPages],
    permissions={
        "team:read": Permission("See the team, its members, and what each of them may", Role.VIEWER),
        "team:change": Permission("Rename the team, and demand a second factor of its members"),
        "team:delete": Permission("Delete the team with all its servers", Role.OWNER),
        "installation:teams": "Make further teams",
    },
    navigation=[NavigationEntry("Team", "/team", "users", "team:read")],
    account_tabs=[NavigationEntry("Teams", "/account/teams", "users", "account:read")],
    team_tabs=[NavigationEntry("Settings", "/team/settings", "settings", "team:read")],
    migrations=MigrationApp("teams", Path(__file__).parent / "piccolo_migrations"),
)
