"""Teams: who is in which and as what, their own roles, and what is granted on single servers."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.teams.pages import InvitationPages, RolePages, TeamPages
from pudim_collector.features.teams.personal import KEPT, PERSONAL
from pudim_collector.features.teams.routes import (
    GrantsApi,
    MembersApi,
    OwnTeamsApi,
    RolesApi,
    TeamApi,
    TeamFactorApi,
    TeamInvitationsApi,
)
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="teams",
    controllers=[
        OwnTeamsApi,
        TeamApi,
        TeamFactorApi,
        MembersApi,
        RolesApi,
        GrantsApi,
        TeamInvitationsApi,
        TeamPages,
        RolePages,
        InvitationPages,
    ],
    permissions={
        "team:read": Permission("See the team, its members, and what each of them may", Role.VIEWER),
        "team:change": Permission("Rename the team, and demand a second factor of its members"),
        "team:delete": Permission("Delete the team with all its servers", Role.OWNER),
        "members:manage": Permission("Invite, change and remove members, and grant roles on servers"),
        "owners:manage": Permission("Make and unmake owners, and hand the team over", Role.OWNER),
        "roles:manage": Permission("Make, change and delete the team's own roles"),
        "installation:teams": "Make further teams",
    },
    navigation=[NavigationEntry("Team", "/team", "users", "team:read")],
    migrations=MigrationApp("teams", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
