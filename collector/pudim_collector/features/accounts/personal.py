"""Which rows of accounts are about a person: the account, and its sessions."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, erased, told

PERSONAL = (
    Section(
        "account",
        "Your account and how you like to read",
        frozenset({"users.name", "users.email", "users.email_key"}),
        told(
            "SELECT id, name, email, created_at, language, time_zone, operator FROM users WHERE id = {person} ORDER BY id"
        ),
        # Sessions, factors, memberships and whatever else belongs to one account alone go with it.
        erased("DELETE FROM users WHERE id = {person}"),
    ),
    Section(
        "sessions",
        "Browsers that you are signed in with: since when, from where, and what they say they are",
        frozenset({"sessions.user_id", "sessions.address", "sessions.user_agent"}),
        told(
            "SELECT id, created_at, last_seen_at, proved_at, address, user_agent, team_id FROM sessions"
            " WHERE user_id = {person} ORDER BY created_at, id"
        ),
    ),
)
KEPT = (
    Kept(
        "sessions",
        "Sessions, from the sign-in on: fewer days sign people out earlier",
        30,
        1,
        30,
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE created_at < {before} LIMIT {most})",
    ),
)
