"""Which second factors are a person's."""

from __future__ import annotations

from pudim_collector.infra.personal import Section, told

PERSONAL = (
    Section(
        "second_factors",
        "Your authenticator app and recovery codes: when they were made, never their secrets",
        frozenset({"totp_secrets.user_id", "recovery_keys.user_id", "recovery_codes.user_id"}),
        told(
            "SELECT 'authenticator app' AS kind, created_at, confirmed_at, NULL::bigint AS left FROM totp_secrets"
            " WHERE user_id = {person} UNION ALL SELECT 'recovery codes', created_at, NULL,"
            " (SELECT count(*) FROM recovery_codes AS codes WHERE codes.user_id = recovery_keys.user_id)"
            " FROM recovery_keys WHERE user_id = {person} ORDER BY 2"
        ),
    ),
)
