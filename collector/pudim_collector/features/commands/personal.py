"""Which commands to hosts a person asked for, and how long commands are kept."""

from __future__ import annotations

from pudim_collector.infra.personal import Kept, Section, erased, told

PERSONAL = (
    Section(
        "commands",
        "What you asked of servers",
        frozenset({"commands.actor"}),
        told(
            "SELECT id, server_id, action, args, actor, asked_at, sent_at, ended_at, outcome FROM commands"
            " WHERE lower(actor) = {email} ORDER BY asked_at, id"
        ),
        erased("UPDATE commands SET actor = {pseudonym} WHERE lower(actor) = {email}"),
    ),
)
KEPT = (
    Kept(
        "commands",
        "Commands to servers, with what came of them",
        400,
        1,
        3650,
        "DELETE FROM commands WHERE id IN"
        " (SELECT id FROM commands WHERE coalesce(ended_at, expires_at, wait_until) < {before} LIMIT {most})",
    ),
    Kept(
        "command_reports",
        "What agents reported of commands, as they signed it",
        400,
        1,
        3650,
        "DELETE FROM command_reports WHERE id IN"
        " (SELECT id FROM command_reports WHERE received_at < {before} LIMIT {most})",
    ),
)
