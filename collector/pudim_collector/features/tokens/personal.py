"""Which API tokens a person made, and how long one is kept that has ended."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, told

PERSONAL = (
    Section(
        "api_tokens",
        "API tokens that you made, without their secrets; those of services are the team's, and stay",
        frozenset({"api_tokens.made_by", "api_tokens.created_by", "api_tokens.last_used_address"}),
        told(
            "SELECT id, name, made_by IS NULL AS of_service, prefix, created_at, expires_at, last_used_at, last_used_address, revoked_at, scopes,"
            " only_servers, only_tags FROM api_tokens WHERE made_by = {person} OR created_by = {person} ORDER BY created_at, id"
        ),
    ),
)
KEPT = (
    Kept(
        "revoked_tokens",
        "API tokens that were revoked or ran out",
        400,
        1,
        3650,
        "DELETE FROM api_tokens WHERE id IN"
        " (SELECT id FROM api_tokens WHERE least(revoked_at, expires_at) < {before} LIMIT {most})",
    ),
)
