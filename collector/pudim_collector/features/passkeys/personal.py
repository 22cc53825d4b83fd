"""Which passkeys are a person's."""

from __future__ import annotations

from pudim_collector.infra.personal import Section, told

PERSONAL = (
    Section(
        "passkeys",
        "Your passkeys",
        frozenset({"passkeys.user_id", "passkey_challenges.user_id"}),
        told(
            "SELECT id, name, created_at, last_used_at, sign_count FROM passkeys WHERE user_id = {person}"
            " ORDER BY created_at, id"
        ),
    ),
)
