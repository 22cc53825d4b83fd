"""Which answers were kept for a person's programs, and who is told to use what is going to end."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, erased, told

PERSONAL = (
    Section(
        "kept_answers",
        "Requests under an Idempotency-Key whose answers are kept for a day",
        frozenset({"api_answers.asker"}),
        told(
            "SELECT made_at FROM api_answers WHERE asker = {person} OR asker = ANY ({tokens}) ORDER BY made_at, call"
        ),
        erased("DELETE FROM api_answers WHERE asker = {person} OR asker = ANY ({tokens})"),
    ),
    Section(
        "deprecated_uses",
        "Parts of the API that you use and that are going to end",
        frozenset({"api_deprecated_uses.asker", "api_deprecated_uses.asker_name"}),
        told(
            "SELECT operation, asker_name, uses, first_at, last_at FROM api_deprecated_uses"
            " WHERE asker = {person} OR asker = ANY ({tokens}) ORDER BY first_at, operation, asker"
        ),
        erased("DELETE FROM api_deprecated_uses WHERE asker = {person} OR asker = ANY ({tokens})"),
    ),
)
KEPT = (
    Kept(
        "deprecated_uses",
        "Who used parts of the API that are going to end",
        400,
        1,
        3650,
        "DELETE FROM api_deprecated_uses WHERE (team_id, operation, asker) IN"
        " (SELECT team_id, operation, asker FROM api_deprecated_uses WHERE last_at < {before} LIMIT {most})",
    ),
)
