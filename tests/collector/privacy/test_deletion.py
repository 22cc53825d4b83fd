"""Who deletes his account is nowhere any more, what he did stays under a pseudonym, and the audit log still holds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from litestar import Litestar

from pudim_collector.app.features import KEPT, PERSONAL
from pudim_collector.app.keys import key_ring
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.accounts.events import SignInRefused
from pudim_collector.features.audit.service import Verified
from pudim_collector.features.invitations.events import InvitationMade
from pudim_collector.features.privacy.service import Privacy
from pudim_collector.features.sessions.rules import digest
from pudim_collector.features.sessions.service import SignInError
from pudim_collector.infra.database import database
from pudim_collector.infra.entering import Visitor
from pudim_collector.infra.mail.mailer import Mailer
from pudim_collector.infra.mail.outbox import SEALED_MAIL
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.personal import Person
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.ids import new_id
from tests.collector.privacy.lives import ADDRESS, AGENT, EMAIL, NAME, everything, rows, somebody_busy, traces
from tests.collector.teams.people import Someone, a_member, ask, code

PATH = "/api/v2/me/deletion"


async def verified(runtime: Runtime) -> list[Verified]:
    await runtime.trail.settle()
    found = await runtime.audit.verify_all()
    assert [one.broken for one in found] == [None] * len(found)
    return found


def pseudonym(person: Someone) -> str:
    return Person(person.id, "", "", "").pseudonym


@pytest.fixture
async def person(app: Litestar, runtime: Runtime, team: UUID, owner: Someone) -> Someone:
    return await somebody_busy(app, runtime, team)


async def test_nothing_of_him_is_left_and_the_log_holds(
    app: Litestar, runtime: Runtime, person: Someone
) -> None:
    runtime.trail.emit(SignInRefused(digest(EMAIL).hex()[:16], ADDRESS, "wrong"))
    runtime.trail.emit(InvitationMade(new_id(), EMAIL.upper(), "viewer"))
    before = sum(one.entries for one in await verified(runtime))
    assert set(await traces(NAME, EMAIL, ADDRESS, AGENT)) == {NAME, EMAIL, ADDRESS, AGENT}
    assert await code(app, person, "POST", PATH, {"email": f" {EMAIL.upper()} "}) == 204
    found = await verified(runtime)
    assert await traces(NAME, EMAIL, ADDRESS, AGENT, digest(EMAIL).hex()[:16]) == {}
    assert sum(one.entries for one in found) == before + 2
    assert sum(one.erased for one in found) > 5
    held = await everything()
    assert {name for name, text in held.items() if str(person.id) in text} == {
        "audit_entries",
        "deleted_people",
    }


async def test_what_he_did_stays_readable_under_one_pseudonym(
    app: Litestar, runtime: Runtime, person: Someone
) -> None:
    await ask(app, person, "POST", PATH, {"email": EMAIL})
    his = await rows("SELECT * FROM audit_entries WHERE actor_id = $1 ORDER BY sequence", str(person.id))
    assert {(one["actor_name"], one["address"], one["user_agent"]) for one in his} == {
        (pseudonym(person), "", "")
    }
    (renamed,) = [one for one in his if one["action"] == "server.changed"]
    assert renamed["target_name"] == "web-2"
    assert '"name": "web-2"' in renamed["after"]
    (gone,) = [one for one in his if one["action"] == "account.deleted"]
    assert (gone["team_id"], gone["target_name"]) == (None, pseudonym(person))
    assert [one["actor"] for one in await rows("SELECT actor FROM commands")] == [pseudonym(person)]


async def test_he_is_out_at_once_and_his_programs_too(app: Litestar, runtime: Runtime, team: UUID) -> None:
    person = await a_member(runtime, team, Role.ADMIN, "grace")
    await rows("UPDATE sessions SET proved_at = now()")
    made = (await ask(app, person, "POST", "/api/v2/tokens", {"name": "mine"})).json()
    token = made["secret"]
    assert await code(app, token, "GET", "/api/v2/me") == 200
    assert await code(app, person, "POST", PATH, {"email": person.user.email}) == 204
    assert await code(app, person, "GET", "/api/v2/me") == "not_signed_in"
    assert await code(app, token, "GET", "/api/v2/me") == "bad_token"
    with pytest.raises(SignInError):
        await runtime.sessions.sign_in(person.user.email, "any", Visitor(ADDRESS))


async def test_the_last_owner_of_a_team_is_told_which_and_what_to_do(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    await rows("UPDATE sessions SET proved_at = now()")
    answer = await ask(app, owner, "POST", PATH, {"email": owner.user.email})
    assert (answer.status_code, answer.json()["code"]) == (409, "last_owner_leaves")
    (name,) = [one["name"] for one in await rows("SELECT name FROM teams WHERE id = $1", team)]
    assert name in answer.json()["detail"]
    assert await code(app, owner, "GET", "/api/v2/me") == 200
    await a_member(runtime, team, Role.OWNER)
    assert await code(app, owner, "POST", PATH, {"email": owner.user.email}) == 204


async def test_the_last_operator_goes_only_by_the_command_line(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    await a_member(runtime, team, Role.OWNER)
    await rows("UPDATE sessions SET proved_at = now()")
    await rows("UPDATE users SET operator = true WHERE id = $1", owner.id)
    assert await code(app, owner, "POST", PATH, {"email": owner.user.email}) == "last_operator_leaves"
    himself = await runtime.privacy.person(owner.id)
    await runtime.privacy.delete(himself, owner.user.email, last_operator_may=True)
    assert await runtime.accounts.ensure_setup_link() is not None


async def test_one_last_mail_tells_him_in_his_language(
    app: Litestar, runtime: Runtime, person: Someone
) -> None:
    sealer = Sealers(key_ring(runtime.settings, runtime.clock.now()), runtime.key).of(SEALED_MAIL)
    server = SmtpServer.parse("smtp://127.0.0.1", "pudim@pudim.test")
    letters = Mailer(database, server, sealer, runtime.clock)
    privacy = Privacy(PERSONAL, KEPT, runtime.clock, letters, emit=runtime.trail.emit)
    await privacy.delete(await privacy.person(person.id), EMAIL)
    (left,) = await rows("SELECT id, recipient, template, content FROM mail_outbox")
    assert (left["recipient"], left["template"]) == (EMAIL, "account_deleted")
    assert "último e-mail".encode() in sealer.open(bytes(left["content"]), left["id"].bytes)


@pytest.mark.parametrize("typed", ["", "grace", "somebody@example.org", "grace@example.org.evil"])
async def test_another_address_deletes_nobody(
    app: Litestar, runtime: Runtime, team: UUID, typed: str
) -> None:
    person = await a_member(runtime, team, Role.GUEST, "grace")
    await rows("UPDATE sessions SET proved_at = now()")
    assert await code(app, person, "POST", PATH, {"email": typed}) == "wrong_address"
    await rows("UPDATE sessions SET proved_at = NULL")
    assert await code(app, person, "POST", PATH, {"email": person.user.email}) == "sudo_needed"
    assert await code(app, person, "GET", "/api/v2/me") == 200


async def test_an_operator_deletes_somebody_and_an_owner_does_not(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone, person: Someone
) -> None:
    path = f"/api/v2/people/{person.id}/deletion"
    await rows("UPDATE sessions SET proved_at = now()")
    assert await code(app, owner, "POST", path, {"email": EMAIL}) == "permission_missing"
    operator = await runtime.tokens.local_access_token()
    assert await code(app, operator, "POST", path, {"email": EMAIL}) == 204
    assert await code(app, operator, "POST", path, {"email": EMAIL}) == "no_such_person"
    (told,) = await rows("SELECT * FROM audit_entries WHERE action = 'account.deleted'")
    assert (told["actor_name"], told["target_name"]) == ("local access", pseudonym(person))
    await verified(runtime)


async def test_entries_from_before_forget_too(app: Litestar, runtime: Runtime, person: Someone) -> None:
    """Those were chained without salts: the digest of the whole holds their place."""
    await runtime.trail.settle()
    await rows("ALTER TABLE audit_entries DISABLE TRIGGER USER")
    await rechained_as_before()
    await rows("ALTER TABLE audit_entries ENABLE TRIGGER USER")
    await verified(runtime)
    assert await code(app, person, "POST", PATH, {"email": EMAIL}) == 204
    assert sum(one.erased for one in await verified(runtime)) > 5
    assert await traces(NAME, EMAIL, ADDRESS, AGENT) == {}


async def rechained_as_before() -> None:
    from dataclasses import replace

    from pudim_collector.features.audit import queries, rules

    for chain in await queries.chains():
        last = rules.GENESIS
        async for one in queries.all_after(chain, 0):
            hashed = rules.link(last, one.sequence, rules.digest(replace(one.entry, proof=rules.Proof())))
            await rows(
                "UPDATE audit_entries SET who_proof = NULL, what_proof = NULL, previous = $3, hash = $4"
                " WHERE chain = $1 AND sequence = $2",
                *(chain, one.sequence, last, hashed),
            )
            await rows(
                "UPDATE audit_chains SET previous = $2, hash = $3 WHERE chain = $1", chain, last, hashed
            )
            last = hashed


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor_name = 'Deleted person 0000', address = '', user_agent = ''",
        (
            "UPDATE audit_entries SET actor_name = $1, address = '', user_agent = '', erased_for = ARRAY[$2::uuid],"
            " who_proof = sha256('x'), action = 'other.done'"
        ),
        (
            "UPDATE audit_entries SET actor_name = 'Eve', address = '', user_agent = '', erased_for = ARRAY[$2::uuid],"
            " who_proof = sha256('x') WHERE $1 <> ''"
        ),
        (
            "UPDATE audit_entries SET actor_name = $1, address = '', user_agent = '', erased_for = ARRAY[$2::uuid],"
            " hash = sha256('x')"
        ),
        (
            "UPDATE audit_entries SET actor_name = $1, address = '', user_agent = '', after = '{}', what_proof = sha256('x'),"
            " who_proof = sha256('x'), erased_for = ARRAY[$2::uuid]"
        ),
        "UPDATE audit_entries SET actor_name = $1, erased_for = ARRAY[gen_random_uuid()] WHERE $2::uuid IS NOT NULL",
    ],
)
async def test_the_database_lets_nothing_else_be_changed_for_it(
    app: Litestar, runtime: Runtime, person: Someone, statement: str
) -> None:
    """`$1` is the pseudonym of somebody who was deleted, `$2` he: entries of others are not his to change."""
    await rows("INSERT INTO deleted_people VALUES ($1, $2, '{}', now())", person.id, pseudonym(person))
    arguments = [pseudonym(person), person.id] if "$2" in statement else []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await rows(statement, *arguments)


async def test_a_false_erasure_is_found(app: Litestar, runtime: Runtime, person: Someone) -> None:
    """Who may write to the database can call somebody deleted, but not make up what the chain holds of an entry."""
    await runtime.trail.settle()
    await rows("INSERT INTO deleted_people VALUES ($1, $2, '{}', now())", person.id, pseudonym(person))
    await rows(
        "UPDATE audit_entries SET actor_name = $1, address = '', user_agent = '', erased_for = ARRAY[$2::uuid],"
        " who_proof = sha256('x') WHERE sequence = 2",
        *(pseudonym(person), person.id),
    )
    assert any(one.broken and one.broken.sequence == 2 for one in await runtime.audit.verify_all())


async def test_what_his_last_requests_left_behind_goes_too(
    app: Litestar, runtime: Runtime, person: Someone
) -> None:
    """A request that was on its way in may be told after the deletion, with his name."""
    principal = await runtime.accounts.by_session(person.secret)
    await ask(app, person, "POST", PATH, {"email": EMAIL})
    from pudim_collector.infra.request_ids import Asked, asked

    scope: Any = {"user": principal, "client": (ADDRESS, 1), "headers": [(b"user-agent", AGENT.encode())]}
    token = asked.set(Asked("late", scope))
    runtime.trail.emit(InvitationMade(new_id(), "other@example.org", "viewer"))
    asked.reset(token)
    await runtime.trail.settle()
    assert set(await traces(NAME, ADDRESS, AGENT)) == {NAME, ADDRESS, AGENT}
    await runtime.privacy.tidy()
    assert await traces(NAME, ADDRESS, AGENT) == {}
    erased = [one.erased for one in await verified(runtime)]
    await runtime.privacy.tidy()
    assert [one.erased for one in await verified(runtime)] == erased
    assert "other@example.org" in (await everything())["audit_entries"]


async def test_a_killed_deletion_leaves_everything(
    app: Litestar, runtime: Runtime, team: UUID, person: Someone
) -> None:
    """The process dies at its very last step, the log's head: nothing of what it did before is done."""
    await runtime.trail.settle()
    before = await everything()
    async with await psycopg.AsyncConnection.connect(database.conninfo) as holder:
        await holder.execute("SELECT FROM audit_chains FOR UPDATE")
        program = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("pudim"),
            *("admin", "privacy", "delete", EMAIL, "--yes"),
            env={
                **os.environ,
                "PUDIM_DATABASE_URL": database.conninfo,
                "PUDIM_DATA_DIR": str(runtime.settings.data_dir),
            },
        )
        while not await rows(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            assert program.returncode is None
            await asyncio.sleep(0.05)
        program.send_signal(signal.SIGKILL)
        await program.wait()
        await holder.rollback()
    while await rows("SELECT FROM pg_locks WHERE relation = 'users'::regclass AND mode = 'RowExclusiveLock'"):
        await asyncio.sleep(0.05)
    assert await everything() == before
    assert await code(app, person, "POST", PATH, {"email": EMAIL}) == 204
