"""Invitations: how people come into a team."""

from __future__ import annotations

from pudim_collector.features.invitations.pages import InvitationPages, TeamInvitationPages
from pudim_collector.features.invitations.personal import KEPT, PERSONAL
from pudim_collector.features.invitations.routes import TeamInvitationsApi
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="invitations",
    controllers=[TeamInvitationsApi, TeamInvitationPages, InvitationPages],
    team_tabs=[NavigationEntry("Invitations", "/team/invitations", "mail", "members:manage")],
    personal=PERSONAL,
    kept=KEPT,
)
