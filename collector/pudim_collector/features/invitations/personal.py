"""Which invitations are about a person: those that he made, and those to his address."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, erased, told

PERSONAL = (
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
