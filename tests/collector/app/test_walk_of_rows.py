"""Rows below a server, met by statements with every scope: without the gate, too, nobody finds another's."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.commands import queries as commands
from pudim_collector.features.commands.queries import CommandRecord
from pudim_collector.features.completeness import queries as completeness
from pudim_collector.features.completeness.queries import JudgedDay
from pudim_collector.features.completeness.rules import Completeness, State
from pudim_collector.features.notices import queries as notices
from pudim_collector.features.notices.queries import NewNotice, NoticeRecord
from pudim_collector.features.senders import queries as senders
from pudim_collector.features.senders.queries import SenderRecord
from pudim_collector.features.servers import queries as servers
from pudim_collector.features.uptime import queries as checks
from pudim_collector.features.uptime.queries import CheckRecord
from pudim_collector.infra.database import database
from pudim_collector.infra.scoping import NO_TEAM, Scope, UnscopedStatementError, rows
from tests.collector.app.site import clock, runtime
from tests.collector.teams.people import a_server, a_team

__all__ = ["clock", "runtime"]
NOW = datetime.now(UTC)
TODAY = NOW.date()


@dataclass(frozen=True)
class Rows:
    """One row of each kind, of one server of one team, and a server of each scope that must not find them."""

    team: UUID
    server: UUID
    check: CheckRecord
    command: CommandRecord
    sender: SenderRecord
    strangers: dict[str, Scope]


@pytest.fixture
async def kept(runtime: Runtime) -> Rows:
    team, other = await runtime.accounts.ensure_team(), await a_team(runtime, "Other")
    server, beside = await a_server(runtime, team, "mine"), await a_server(runtime, team, "beside")
    foreign = await a_server(runtime, other, "theirs")
    check = CheckRecord(
        UUID(int=1), server, "shop", "tcp", 30, 5, {"port": 1}, None, enabled=True, created_at=NOW
    )
    command = CommandRecord(UUID(int=2), server, "x", {}, "ada", NOW, NOW + timedelta(hours=1))
    sender = SenderRecord(UUID(int=3), team, None, "otel", "pud_snd_a", 10, 1, NOW)
    await checks.advance(Scope(team), server)
    await checks.insert(Scope(team), check)
    await commands.lock_chain(server)
    await commands.insert(Scope(team), command)
    async with database.connection() as connection:
        await connection.execute("UPDATE command_chains SET broken_at = now(), broken = 'it was'")
    await notices.save([NewNotice(server, NoticeRecord("units", NOW, NOW, True, "{}"), 1, 0)], "x")
    await completeness.save(
        [JudgedDay(server, TODAY, Completeness(1, 1, 0, []), State.COMPLETE, 0, NOW)], NOW
    )
    await senders.add_sender(sender, b"hash")
    return Rows(
        team,
        server,
        check,
        command,
        sender,
        {
            "another team": Scope(other),
            "another team, by the server's id": Scope(other, frozenset({server, foreign})),
            "the team's other server": Scope(team, frozenset({beside})),
            "no server at all": Scope(team, frozenset()),
            "no team": Scope(NO_TEAM, frozenset()),
        },
    )


Ask = Callable[[Rows, Scope], Awaitable[Any]]
BELOW_A_SERVER: dict[str, Ask] = {
    "checks_of": lambda kept, within: checks.checks_of(within, kept.server),
    "find a check": lambda kept, within: checks.find(within, kept.server, kept.check.id),
    "advance": lambda kept, within: checks.advance(within, kept.server),
    "newest": lambda kept, within: commands.newest(within, kept.server, 9),
    "find a command": lambda kept, within: commands.newest(within, kept.server, 1, kept.command.id),
    "count_waiting": lambda kept, within: commands.count_waiting(within, kept.server, NOW),
    "broken": lambda kept, within: commands.broken(within, kept.server),
    "find a notice": lambda kept, within: notices.find(within, kept.server, "units"),
    "all_of": lambda kept, within: notices.all_of(within, kept.server),
    "heads": lambda kept, within: notices.heads(within, kept.server),
    "counted": lambda kept, within: notices.counted(within, [kept.server]),
    "days_of": lambda kept, within: completeness.days_of(within, kept.server, TODAY, TODAY),
    "servers_of": lambda kept, within: _of(kept, completeness.servers_of(within, TODAY)),
    "find_server": lambda kept, within: servers.find_server(within, kept.server),
    "lock a server": lambda kept, within: servers.find_server(within, kept.server, lock=True),
    "find_servers": lambda kept, within: servers.find_servers(within, [kept.server]),
    "all_servers": lambda kept, within: _of(kept, servers.all_servers(within)),
    "delete a check": lambda kept, within: checks.delete(within, kept.server, kept.check.id),
    "set_name_and_tags": lambda kept, within: servers.set_name_and_tags(within, kept.server, "taken", []),
    "set_revoked": lambda kept, within: servers.set_revoked(within, kept.server, NOW),
}
"""What finds or changes something; the last ones change what the others need."""
OF_A_TEAM: dict[str, Ask] = {
    "list_senders": lambda _, within: senders.list_senders(within),
    "get_sender": lambda kept, within: senders.get_sender(within, kept.sender.id, lock=False),
    "lock a sender": lambda kept, within: senders.get_sender(within, kept.sender.id, lock=True),
    "set_caps": lambda kept, within: senders.set_caps(within, kept.sender.id, 1, 1),
    "revoke_sender": lambda kept, within: senders.revoke_sender(within, kept.sender.id, NOW),
}


async def _of(kept: Rows, found: Awaitable[list[Any]]) -> list[Any]:
    """What is about the one server."""
    return [
        one
        for one in await found
        if kept.server in {getattr(one, "id", None), getattr(one, "server_id", None)}
    ]


async def test_what_is_below_a_server_is_found_within_its_scope_alone(kept: Rows) -> None:
    for what, ask in BELOW_A_SERVER.items():
        for who, scope in kept.strangers.items():
            assert not await ask(kept, scope), (what, who)
    for what, ask in BELOW_A_SERVER.items():
        assert await ask(kept, Scope(kept.team, frozenset({kept.server}))), what


async def test_what_is_a_teams_is_found_within_its_scope_alone(kept: Rows) -> None:
    for what, ask in OF_A_TEAM.items():
        for who in ("another team", "no team"):
            assert not await ask(kept, kept.strangers[who]), (what, who)
    for what, ask in OF_A_TEAM.items():
        assert await ask(kept, Scope(kept.team)), what


async def test_nothing_is_put_below_a_server_of_others(kept: Rows) -> None:
    beyond = [*kept.strangers.values()]
    before = await told(kept)
    for number, scope in enumerate(beyond, 10):
        check = CheckRecord(
            UUID(int=number), kept.server, "x", "tcp", 30, 5, {}, None, enabled=True, created_at=NOW
        )
        await checks.insert(scope, check)
        await checks.update(
            scope, CheckRecord(kept.check.id, kept.server, "taken", "tcp", 30, 5, {}, None, False, NOW)
        )
        await commands.insert(scope, CommandRecord(UUID(int=number), kept.server, "x", {}, "eve", NOW, NOW))
    assert await told(kept) == before


async def told(kept: Rows) -> tuple[Any, ...]:
    within = Scope(kept.team)
    return (
        await checks.checks_of(within, kept.server),
        await commands.newest(within, kept.server, 99),
        await servers.find_server(within, kept.server),
    )


async def test_a_statement_that_does_not_say_whose_rows_is_not_run(kept: Rows) -> None:
    with pytest.raises(UnscopedStatementError):
        await rows(Scope(kept.team), "SELECT id FROM checks WHERE id = $1", kept.check.id)
