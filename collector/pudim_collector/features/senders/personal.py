"""Which senders a person made: they are the team's, and stay."""

from __future__ import annotations

from pudim_collector.infra.personal import Section, told

PERSONAL = (
    Section(
        "senders",
        "Senders of metrics that you made",
        frozenset({"senders.made_by"}),
        told(
            "SELECT id, name, prefix, created_at, revoked_at FROM senders WHERE made_by = {person} ORDER BY created_at, id"
        ),
    ),
)
