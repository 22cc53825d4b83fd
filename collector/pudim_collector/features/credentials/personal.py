"""Which links by mail are about a person."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, told

PERSONAL = (
    Section(
        "links_by_mail",
        "Links that were sent to you and can still be used: for a new password, and to confirm a new address",
        frozenset({"password_resets.user_id", "email_changes.user_id", "email_changes.email"}),
        told(
            "SELECT 'new password' AS kind, NULL AS email, expires_at FROM password_resets WHERE user_id = {person}"
            " UNION ALL SELECT 'new address', email, expires_at FROM email_changes WHERE user_id = {person} ORDER BY 1"
        ),
    ),
)
KEPT = (
    Kept(
        "links_by_mail",
        "Links by mail that ran out",
        1,
        1,
        30,
        "WITH resets AS (DELETE FROM password_resets WHERE expires_at < {before})"
        " DELETE FROM email_changes WHERE id IN"
        " (SELECT id FROM email_changes WHERE expires_at < {before} LIMIT {most})",
    ),
)
