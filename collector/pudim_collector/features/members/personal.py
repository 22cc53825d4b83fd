"""Which rows of members are about a person: where he belongs, and what he was granted."""

from __future__ import annotations

from pudim_collector.infra.personal import Section, told

PERSONAL = (
    Section(
        "memberships",
        "Teams that you are in, and as what",
        frozenset({"memberships.user_id"}),
        told(
            "SELECT memberships.team_id, teams.name AS team, memberships.role, roles.name AS own_role, memberships.since"
            " FROM memberships JOIN teams ON teams.id = memberships.team_id"
            " LEFT JOIN roles ON roles.id = memberships.own_role"
            " WHERE memberships.user_id = {person} ORDER BY memberships.since, memberships.team_id"
        ),
    ),
    Section(
        "grants",
        "What you were granted on single servers",
        frozenset({"grants.user_id"}),
        told(
            "SELECT id, team_id, role, server_id, tag, made_at FROM grants WHERE user_id = {person} ORDER BY made_at, id"
        ),
    ),
)
