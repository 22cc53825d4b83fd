"""Roles: what each allows, and those that a team made itself."""

from __future__ import annotations

from pudim_collector.features.roles.pages import RolePages
from pudim_collector.features.roles.routes import PermissionsApi, RolesApi
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="roles",
    controllers=[PermissionsApi, RolesApi, RolePages],
    permissions={"roles:manage": "Make, change and delete the team's own roles"},
    team_tabs=[NavigationEntry("Roles", "/team/roles", "key", "team:read")],
)
