"""Which rows of the ways in are about a person, and how long a browser is remembered."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, told

PERSONAL = (
    Section(
        "half_sessions",
        "Sign-ins that still owe a second step",
        frozenset({"half_sessions.user_id"}),
        told(
            "SELECT step, created_at, expires_at FROM half_sessions WHERE user_id = {person} ORDER BY created_at, id"
        ),
    ),
    Section(
        "known_devices",
        "Browsers that you signed in with before",
        frozenset({"known_devices.user_id"}),
        told(
            "SELECT id, created_at, last_seen_at FROM known_devices WHERE user_id = {person} ORDER BY created_at, id"
        ),
    ),
)
KEPT = (
    Kept(
        "known_devices",
        "Browsers that somebody signed in with, so that a new one is told by mail",
        400,
        1,
        400,
        "DELETE FROM known_devices WHERE id IN"
        " (SELECT id FROM known_devices WHERE last_seen_at < {before} LIMIT {most})",
    ),
)
