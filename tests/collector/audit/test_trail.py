"""What is done leaves an entry in the same transaction, or before the answer; what is undone leaves none."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

import psycopg
import pytest

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.accounts.events import SignInRefused
from pudim_collector.features.audit.rules import INSTALLATION
from pudim_collector.features.invitations.queries import insert_member
from pudim_collector.features.roles.queries import RoleName
from pudim_collector.features.senders.events import SenderCreated
from pudim_collector.features.sessions.service import SignInError
from pudim_collector.infra.database import database
from pudim_collector.infra.entering import Visitor
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.scoping import Scope
from pudim_collector.kernel.ids import new_id
from tests.collector.app.site import Site
from tests.collector.audit.entries import actions, entries, of_team, rows, team
from tests.collector.teams.people import a_member, a_team


async def test_a_change_is_told_with_who_what_and_from_where(site: Site) -> None:
    agent = await site.enrol("web-1")
    async with site.client(**{"user-agent": "curl/8"}) as owner:
        answer = await owner.patch(
            f"/api/v2/servers/{agent.agent_id}", json={"name": "web-2", "tags": ["prod"]}
        )
    assert answer.status_code == 200, answer.text
    (entry,) = await entries("server.changed")
    assert (entry["actor_kind"], entry["actor_name"]) == ("token", "local access")
    assert (entry["target_kind"], entry["target_id"]) == ("server", str(agent.agent_id))
    assert json.loads(entry["before"]) == {"name": "web-1", "tags": []}
    assert json.loads(entry["after"]) == {"name": "web-2", "tags": ["prod"]}
    assert (entry["address"], entry["user_agent"], entry["result"]) == ("127.0.0.1", "curl/8", "done")
    assert entry["request_id"] == answer.headers["x-request-id"]
    assert entry["team_id"] == entry["chain"] == await team()
    (enrolled,) = await entries("server.enrolled")
    assert (enrolled["actor_kind"], enrolled["actor_name"]) == ("agent", "web-1")


async def _told_and_undone(runtime: Runtime, name: str) -> None:
    async with database.transaction():
        runtime.trail.emit(SenderCreated(new_id(), name))
        raise ZeroDivisionError


async def test_what_is_rolled_back_leaves_no_entry(runtime: Runtime) -> None:
    await runtime.accounts.ensure_team()
    with pytest.raises(ZeroDivisionError):
        await _told_and_undone(runtime, "never")
    async with database.transaction():
        with pytest.raises(ZeroDivisionError):
            await _told_and_undone(runtime, "undone with its savepoint")
        async with database.transaction():
            runtime.trail.emit(SenderCreated(new_id(), "kept"))
    assert [row["target_name"] for row in await entries()] == ["kept"]


async def test_an_entry_that_cannot_be_written_undoes_the_change(runtime: Runtime) -> None:
    await rows("ALTER TABLE audit_entries ADD CONSTRAINT full_disk CHECK (action <> 'token.created')")
    with pytest.raises(psycopg.errors.CheckViolation):
        await runtime.tokens.local_access_token()
    assert await rows("SELECT * FROM api_tokens") == []
    assert await rows("SELECT 1 AS one") == [{"one": 1}]


async def test_who_is_refused_is_told_and_a_loop_does_not_fill_the_log(site: Site) -> None:
    async with site.client(token="pud_pat_" + "A" * 49) as stranger:
        for _ in range(40):
            assert (await stranger.get("/api/v2/servers")).status_code == 401
    found = await entries("credential.refused")
    assert len(found) == 30
    assert {(row["result"], row["address"], row["team_id"]) for row in found} == {
        ("refused", "127.0.0.1", None)
    }
    site.clock.advance(61)
    async with site.client(token="pud_pat_" + "A" * 49) as stranger:
        await stranger.get("/api/v2/servers")
    assert json.loads((await entries("credential.refused"))[-1]["after"])["left_out"] == 10


async def test_a_token_in_a_new_network_is_told_once(site: Site) -> None:
    for _ in range(3):
        await site.get("/api/v2/servers")
    (entry,) = await entries("token.used_from_new_network")
    assert json.loads(entry["after"]) == {"network": "127.0.0.0/24"}
    assert entry["actor_name"] == entry["target_name"] == "local access"


async def test_what_happens_outside_of_requests_is_written_by_the_loop(site: Site) -> None:
    site.runtime.trail.emit(SignInRefused("digest", "192.0.2.1", "wrong"))
    async with asyncio.timeout(10):
        while not await entries("session.refused"):
            await asyncio.sleep(0.05)
    (entry,) = await entries("session.refused")
    assert (entry["chain"], entry["team_id"], entry["address"]) == (INSTALLATION, None, "192.0.2.1")


async def test_an_event_that_nobody_declared_is_written_by_its_name(runtime: Runtime) -> None:
    @dataclass(frozen=True)
    class LidOpened:
        by_hand: bool
        password: str

    runtime.trail.emit(LidOpened(True, "drei Pferde"))
    await runtime.trail.settle()
    (entry,) = await entries()
    assert entry["action"] == "audit.lid_opened"
    assert json.loads(entry["after"]) == {"by_hand": True, "password": "(hidden)"}


async def test_concurrent_writers_keep_one_chain(runtime: Runtime) -> None:
    await runtime.accounts.ensure_team()

    async def write(number: int) -> None:
        for one in range(10):
            async with database.transaction():
                runtime.trail.emit(SenderCreated(new_id(), f"{number}-{one}"))

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(write(number))
    assert [row["sequence"] for row in await entries()] == list(range(1, 51))
    (verified,) = await runtime.audit.verify_all()
    assert (verified.entries, verified.broken) == (50, None)


async def test_everything_of_a_first_day_is_in_the_log(site: Site) -> None:
    await site.enrol("web-1")
    async with site.client() as owner:
        await owner.post("/api/v2/tokens", json={"name": "backup"})
        (made,) = await rows("SELECT id FROM api_tokens WHERE name = 'backup'")
        assert (await owner.delete(f"/api/v2/tokens/{made['id']}")).status_code == 204
    assert {"token.created", "server.invited", "server.enrolled", "token.revoked"} <= set(await actions())


async def test_the_first_owners_entry_and_sign_in_are_in_the_teams_log(site: Site) -> None:
    link = await site.runtime.accounts.ensure_setup_link()
    assert link is not None
    async with site.client(token="", origin=site.url) as browser:
        answer = await browser.post(
            link,
            data={"name": "Ada", "email": "ada@example.org", "password": "correct horse battery pile"},
        )
    assert answer.status_code == 303, answer.text
    told = await of_team(await team())
    assert {"account.owner_created", "session.begun"} <= told.keys()
    assert {row["actor_name"] for row in told.values()} >= {"Ada"}
    assert told["session.begun"]["address"] == "127.0.0.1"


async def test_what_a_person_does_to_get_in_is_in_the_log_of_each_of_his_teams(runtime: Runtime) -> None:
    mine = await runtime.accounts.ensure_team()
    beside, foreign = await a_team(runtime, "Beside"), await a_team(runtime, "Foreign")
    ada = await a_member(runtime, mine, Role.OWNER, "ada")
    await insert_member(Scope(beside), ada.id, RoleName(Role.VIEWER), runtime.clock.now())
    for attempt in ("wrong", "still wrong"):
        with pytest.raises(SignInError):
            await runtime.sessions.sign_in("ada@example.org", attempt, Visitor("203.0.113.9"))
    with pytest.raises(SignInError):
        await runtime.sessions.sign_in("nobody@example.org", "wrong", Visitor("203.0.113.9"))
    await runtime.accounts.open_session(ada.user, Visitor("203.0.113.7"))
    await runtime.trail.settle()
    refused = await entries("session.refused")
    known = [row["chain"] for row in refused if row["target_name"] == "ada"]
    assert sorted(known) == sorted([mine, beside, INSTALLATION] * 2)
    assert [row["chain"] for row in refused if row["target_name"] is None] == [INSTALLATION]
    for one in (mine, beside):
        assert (await of_team(one))["session.begun"]["actor_name"] == "ada"
    assert await of_team(foreign) == {}
