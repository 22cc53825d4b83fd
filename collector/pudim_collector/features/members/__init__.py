"""Members: who is in a team, as what, and on which servers as what else."""

from __future__ import annotations

from pudim_collector.features.members.pages import GrantPages, MemberPages
from pudim_collector.features.members.personal import PERSONAL
from pudim_collector.features.members.routes import GrantsApi, MembersApi, OwnershipApi
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="members",
    controllers=[MembersApi, OwnershipApi, GrantsApi, MemberPages, GrantPages],
    permissions={
        "members:manage": Permission("Invite, change and remove members, and grant roles on servers"),
        "owners:manage": Permission("Make and unmake owners, and hand the team over", Role.OWNER),
    },
    team_tabs=[
        NavigationEntry("Members", "/team", "users", "team:read"),
        NavigationEntry("Single servers", "/team/grants", "server", "team:read"),
    ],
    personal=PERSONAL,
)
