"""Rows of a team are reached through a scope; what the system itself does without one is written down here.

Which tables are a team's is read from the migrations and the tables' classes: a new one is known by itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.architecture.codebase import ROOT

FEATURES = ROOT / "collector/pudim_collector/features"
_CREATED = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\);", re.DOTALL)
_ADDED = re.compile(r"ALTER TABLE (\w+)[^;]*?ADD COLUMN (?:team_id|server_id)\b", re.DOTALL)
_OWNED = re.compile(r"^\s+(?:team|team_id|server_id)\s", re.MULTILINE)
_SCOPED = re.compile(r"\{team\}|\b(?:OF_TEAM|IN_SCOPE|BY_SERVER)\b|\.team(?:_id)? == team_id\b")
INSTEAD = "Run it with pudim_collector.infra.scoping.rows and OF_TEAM, IN_SCOPE or BY_SERVER, or say here why it needs none."
OTHERWISE = {
    "api_deprecated_uses": "counted beside the answer; its list names the team of who asks",
    "audit_entries": "kept and read by chain, which is a team's or the installation's, and verified so",
    "sessions": "a person's; the team is where he is just now",
}
"""Tables with a team's id whose rows are found otherwise."""
SYSTEM = {
    "servers/queries.py:every_server": "jobs judge, verify and simulate for all teams",
    "servers/queries.py:find_agents_server": "its own agent, which shows its key",
    "servers/queries.py:fleets": "the directory from which scopes are made",
    "servers/queries.py:insert_server": "names its team; an agent enrols with a token",
    "servers/queries.py:insert_outside": "names its team; ingest makes it for a sender",
    "servers/queries.py:count_made_by": "ingest counts a sender's own",
    "servers/queries.py:set_seen": "ingest, for servers that it found within the sender's team",
    "servers/queries.py:update_opened": "an agent of its own server",
    "servers/queries.py:delete_servers": "of a team that ends, or simulated ones",
    "servers/queries.py:revoked_servers": "ingest turns their agents away, whosever they are",
    "servers/queries.py:insert_token": "names its team",
    "servers/queries.py:find_token": "an agent shows the token's secret",
    "servers/queries.py:claim_token": "an agent that has shown the secret",
    "accounts/queries.py:add_owner": "names its team: the first owner",
    "tokens/queries.py:add_token": "names its team",
    "tokens/queries.py:touch_token": "the token that has shown its secret",
    "tokens/queries.py:revoke_tokens_of_nobody": "this machine's own, which is made anew",
    "tokens/sql/ending.sql": "a job tells of all teams' tokens",
    "tokens/sql/token.sql": "which token asks is found by it, and with that its scope",
    "accounts/queries.py:set_session_team": "a person's own memberships",
    "accounts/sql/session.sql": "who asks is found by it, and with that his scope",
    "addresses/queries.py:all_lists": "the gate's own, of all teams",
    "audit/queries.py:name_of": "what an entry is about is named when it is written",
    "audit/queries.py:teams_of": "an event of a person belongs into the logs of all his teams",
    "commands/queries.py:servers_waiting": "ids alone, for the processes that hold agents' sessions",
    "commands/queries.py:set_used": "numbers for an agent that is connected",
    "commands/queries.py:knows_report": "an agent's report, which it signed",
    "commands/sql/add_report.sql": "an agent's report, which it signed",
    "commands/sql/forget.sql": "what is too old of the server whose agent reported",
    "commands/sql/lock_chain.sql": "numbers of one server; who asks inserts within his scope",
    "commands/sql/set_chain.sql": "an agent's report, which it signed",
    "commands/sql/set_ended.sql": "an agent's report, which it signed",
    "commands/sql/set_sent.sql": "a command that was taken for the agent that is connected",
    "commands/sql/take_waiting.sql": "for the agent that is connected",
    "completeness/queries.py:judged_since": "a job judges all teams' days",
    "completeness/sql/forget.sql": "a job forgets all teams' oldest days",
    "completeness/sql/save.sql": "a job judges all teams' days",
    "factors/queries.py:is_demanded_of": "a person's own memberships",
    "members/queries.py:everybody": "all people, for who has the machine",
    "notices/sql/save.sql": "ingest keeps what each agent says of its own server",
    "senders/queries.py:add_sender": "names its team",
    "senders/queries.py:find_sender": "who shows the token's secret",
    "senders/queries.py:set_used": "ingest, of a sender that has shown its token",
    "senders/queries.py:add_refused": "ingest, of a sender that has shown its token",
    "privacy/queries.py:find_person": "a person's own tokens",
    "privacy/queries.py:find_by_email": "a person's own tokens",
    "privacy/queries.py:lock_person": "who is deleted: his own tokens",
    "privacy/queries.py:lock_teams": "who is deleted: his own memberships",
    "privacy/queries.py:owned_alone": "who is deleted: his own memberships",
    "teams/queries.py:teams_of": "a person's own memberships",
    "invitations/queries.py:find_invitation": "who shows the secret",
    "invitations/queries.py:use_invitation": "who has shown the secret",
    "uptime/queries.py:checks_for_agent": "what the agent that is connected is told",
    "uptime/queries.py:revision": "what the agent that is connected is told",
    "uptime/queries.py:servers_with_lists": "ids alone, for the processes that hold agents' sessions",
}
"""Who runs each, if not somebody who was let in."""


@cache
def teams_tables() -> frozenset[str]:
    """Those with a column that says whose a row is."""
    found = set()
    for file in FEATURES.glob("*/piccolo_migrations/*.sql"):
        text = file.read_text(encoding="utf-8")
        found |= {name for name, columns in _CREATED.findall(text) if _OWNED.search(columns)}
        found |= set(_ADDED.findall(text))
    return frozenset(found) - OTHERWISE.keys() - _dropped()


def _dropped() -> set[str]:
    """Those that lost it again."""
    files = FEATURES.glob("*/piccolo_migrations/*.sql")
    return {
        name
        for file in files
        for name in re.findall(r"ALTER TABLE (\w+) DROP COLUMN team\b", file.read_text(encoding="utf-8"))
    }


@cache
def touched() -> re.Pattern[str]:
    """Matches a statement on one of them, or a use of its class."""
    tables = "|".join(sorted(teams_tables()))
    text = "".join(file.read_text(encoding="utf-8") for file in FEATURES.glob("*/tables.py"))
    classes = "|".join(re.findall(rf'class (\w+)\(Table, tablename="(?:{tables})"', text))
    return re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO|USING)\s+(?:{tables})\b|\b(?:{classes})\b[.(]")


def places(text: str) -> Iterator[tuple[str, str]]:
    """Each function of a module with the constants that it is made of, and constants that no function names."""
    constants: dict[str, str] = {}
    functions: dict[str, str] = {}
    for node in ast.parse(text).body:
        source = ast.get_source_segment(text, node) or ""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions[node.name] = source
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            constants[ast.unparse(target)] = _with(constants, source)
    yield from ((name, _with(constants, source)) for name, source in functions.items())
    everything = "\n".join([*functions.values(), *constants.values()])
    for name, source in constants.items():
        if len(re.findall(rf"\b{name}\b", everything)) == 1:
            yield name, source


def _with(constants: dict[str, str], source: str) -> str:
    named = [text for name, text in constants.items() if re.search(rf"\b{name}\b", source)]
    return "\n".join([source, *named])


def unscoped(name: str, text: str) -> list[str]:
    found = places(text) if name.endswith(".py") else [("", text)]
    return [
        f"{name}:{place}".rstrip(":")
        for place, source in found
        if touched().search(source) and not _SCOPED.search(source)
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
    assert unscoped("x/sql/all.sql", "SELECT 1 FROM things JOIN checks ON true")
    assert unscoped("x/queries.py", "async def one(): return await Server.select()")
    assert unscoped("x/queries.py", "async def one(x): return await Sender.select().where(Sender.id == x)")
    assert unscoped(
        "x/queries.py", 'ALL = "SELECT id FROM notices"\nasync def one(): return f"{ALL} WHERE id = $1"'
    )
    assert unscoped("x/queries.py", 'ALL = {"x": "SELECT id FROM checks"}')
    for said in ("{OF_TEAM}", "{BY_SERVER}", "server_id = $1 AND {BY_SERVER}"):
        assert not unscoped(
            "x/queries.py",
            f'async def all():\n    return f"SELECT id FROM servers WHERE {said}"',  # noqa: S608 - a test
        )
    assert not unscoped("x/queries.py", 'ALL = f"FROM checks WHERE {BY_SERVER}"\nasync def one(): return ALL')


def test_the_tables_that_are_a_teams_are_found() -> None:
    assert teams_tables() >= {
        *("servers", "enrolment_tokens", "memberships", "roles", "grants", "invitations", "senders"),
        *("api_tokens", "checks", "check_lists", "notices", "completeness", "address_lists"),
        *("commands", "command_chains", "command_reports"),
    }
    assert not teams_tables() & {"users", "sessions"}
