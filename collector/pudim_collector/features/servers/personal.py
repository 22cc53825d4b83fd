"""How long tokens by which servers were added are kept; none of them is about a person."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept

KEPT = (
    Kept(
        "enrolment_tokens",
        "Tokens to add a server that were used or ran out",
        90,
        1,
        3650,
        "DELETE FROM enrolment_tokens WHERE id IN"
        " (SELECT id FROM enrolment_tokens WHERE coalesce(used_at, expires_at) < {before} LIMIT {most})",
    ),
)
