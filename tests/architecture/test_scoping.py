"""Rows of a team are reached through a scope; what the system itself does without one is written down here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.codebase import ROOT

FEATURES = ROOT / "collector/pudim_collector/features"
_TOUCHED = re.compile(
    r"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?:servers|enrolment_tokens|memberships|roles|grants|invitations)\b"
    r"|\b(?:Server|EnrolmentToken)\."
)
_SCOPED = re.compile(r"\{team\}|\bOF_TEAM\b|\bIN_SCOPE\b|\bBY_SERVER\b")
INSTEAD = "Run it with pudim_collector.infra.scoping.rows and OF_TEAM, IN_SCOPE or BY_SERVER, or say here why it needs none."
SYSTEM = {
    "servers/queries.py:every_server": "jobs judge, verify and simulate for all teams",
    "servers/queries.py:find_server": "the gate let in to this very server, or it is its agent",
    "servers/queries.py:find_servers": "the gate let in to these very servers",
    "servers/queries.py:fleets": "the directory from which scopes are made",
    "servers/queries.py:insert_server": "names its team; an agent enrols with a token",
    "servers/queries.py:insert_outside": "names its team; ingest makes it for a sender",
    "servers/queries.py:count_made_by": "ingest counts a sender's own",
    "servers/queries.py:set_seen": "ingest, for servers that it found within the sender's team",
    "servers/queries.py:update_opened": "an agent of its own server",
    "servers/queries.py:set_revoked": "the gate let in to this very server",
    "servers/queries.py:delete_servers": "of a team that ends, or simulated ones",
    "servers/queries.py:set_name_and_tags": "the gate let in to this very server",
    "servers/queries.py:revoked_servers": "ingest turns their agents away, whosever they are",
    "servers/queries.py:insert_token": "names its team",
    "servers/queries.py:find_token": "an agent shows the token's secret",
    "servers/queries.py:claim_token": "an agent that has shown the secret",
    "accounts/queries.py:add_owner": "names its team: the first owner",
    "accounts/queries.py:set_session_team": "a person's own memberships",
    "accounts/sql/session.sql": "who asks is found by it, and with that his scope",
    "accounts/sql/token.sql": "which token asks is found by it, and with that its scope",
    "audit/queries.py:_NAMES": "what an entry is about is named when it is written",
    "completeness/sql/save.sql": "a job judges all teams' days",
    "factors/queries.py:_DEMANDED_OF": "a person's own memberships",
    "notices/sql/save.sql": "ingest keeps what each agent says of its own server",
    "teams/queries.py:teams_of": "a person's own memberships",
    "teams/queries.py:_INVITATIONS": "a part of statements; each says where",
    "teams/queries.py:use_invitation": "who has shown the secret",
}


def places(text: str) -> Iterator[tuple[str, str]]:
    """Each function and constant of a module, by name."""
    for node in ast.parse(text).body:
        source = ast.get_source_segment(text, node) or ""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, source
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            yield ast.unparse(target), source


def unscoped(name: str, text: str) -> list[str]:
    found = places(text) if name.endswith(".py") else [("", text)]
    return [
        f"{name}:{place}".rstrip(":")
        for place, source in found
        if _TOUCHED.search(source) and not _SCOPED.search(source)
    ]


def everywhere() -> set[str]:
    files = [*FEATURES.glob("*/queries.py"), *FEATURES.glob("*/sql/*.sql")]
    return {
        place
        for file in files
        for place in unscoped(file.relative_to(FEATURES).as_posix(), file.read_text(encoding="utf-8"))
    }


def test_a_teams_rows_are_reached_within_a_scope() -> None:
    assert everywhere() - SYSTEM.keys() == set(), INSTEAD


def test_what_needs_no_scope_is_still_there() -> None:
    assert SYSTEM.keys() - everywhere() == set()


def test_a_statement_without_a_scope_is_noticed() -> None:
    assert unscoped("x/queries.py", 'async def all():\n    return "SELECT id FROM servers"')
    assert unscoped("x/sql/all.sql", "SELECT 1 FROM checks JOIN servers ON true")
    assert unscoped("x/queries.py", "async def one(): return await Server.select()")
    assert not unscoped(
        "x/queries.py", 'async def all():\n    return f"SELECT id FROM servers WHERE {OF_TEAM}"'
    )
