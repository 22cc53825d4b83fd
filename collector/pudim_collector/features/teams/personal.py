"""Which rows of teams are about a person: where he belongs, what he was granted, and who invited whom."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, erased, told

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
    Section(
        "invitations",
        "Invitations that you made, and those to your address",
        frozenset({"invitations.made_by", "invitations.email", "invitations.email_key"}),
        told(
            "SELECT id, team_id, email, role, made_by, created_at, expires_at FROM invitations"
            " WHERE made_by = {person} OR email_key = {email} ORDER BY created_at, id"
        ),
        erased("DELETE FROM invitations WHERE made_by = {person} OR email_key = {email}"),
    ),
)
KEPT = (
    Kept(
        "invitations",
        "Invitations that ran out",
        30,
        1,
        3650,
        "DELETE FROM invitations WHERE id IN"
        " (SELECT id FROM invitations WHERE expires_at < {before} LIMIT {most})",
    ),
)
