"""Each kind of rows goes when it is as old as is set, and not before; what is set stays within its bounds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar

from pudim_collector.app.features import KEPT
from pudim_collector.app.runtime import Runtime
from pudim_collector.infra.permissions import Role
from pudim_collector.infra.personal import Kept
from pudim_collector.kernel.ids import new_id
from tests.collector.app.site import PAGE
from tests.collector.privacy.lives import rows
from tests.collector.teams.people import Someone, a_member, a_server, ask, client, code

Values = dict[str, Any]
ROWS: dict[str, tuple[str, str]] = {
    "sessions": (
        "sessions",
        (
            "INSERT INTO sessions (id, user_id, secret_hash, created_at, last_seen_at, address, user_agent)"
            " VALUES ({id}, {user}, {bytes}, {at}, now(), '', '')"
        ),
    ),
    "known_devices": (
        "known_devices",
        "INSERT INTO known_devices VALUES ({id}, {user}, {bytes}, {at}, {at})",
    ),
    "links_by_mail": (
        "email_changes",
        "INSERT INTO email_changes VALUES ({id}, {other}, 'new@example.org', {bytes}, {at})",
    ),
    "invitations": (
        "invitations",
        (
            "INSERT INTO invitations (id, team_id, email, email_key, role, secret_hash, created_at, expires_at)"
            " VALUES ({id}, {team}, {text}, {text}, 'viewer', {bytes}, {at}, {at})"
        ),
    ),
    "enrolment_tokens": (
        "enrolment_tokens",
        (
            "INSERT INTO enrolment_tokens (id, token_hash, created_at, expires_at, team_id)"
            " VALUES ({id}, {bytes}, {at}, {at}, {team})"
        ),
    ),
    "commands": (
        "commands",
        (
            "INSERT INTO commands (id, server_id, action, args, actor, asked_at, wait_until, ended_at)"
            " VALUES ({id}, {server}, 'restart_unit', '{{}}', 'ada', {at}, {at}, {at})"
        ),
    ),
    "command_reports": (
        "command_reports",
        (
            "INSERT INTO command_reports (server_id, sequence, digest, received_at, body, signature)"
            " VALUES ({server}, 1, {bytes}, {at}, '', '')"
        ),
    ),
    "deprecated_uses": (
        "api_deprecated_uses",
        "INSERT INTO api_deprecated_uses VALUES ({team}, {text}, {user}, 'user', 'ada', 1, {at}, {at})",
    ),
    "token_networks": ("audit_networks", "INSERT INTO audit_networks VALUES ({id}, '203.0.113.0/24', {at})"),
    "mails": (
        "mail_outbox",
        (
            "INSERT INTO mail_outbox (id, recipient, template, content, made_at, expires_at, next_at, dead_at)"
            " VALUES ({id}, 'a@example.org', 'test', '', {at}, {at}, {at}, {at})"
        ),
    ),
    "deleted_people": ("deleted_people", "INSERT INTO deleted_people VALUES ({id}, {text}, '{{}}', {at})"),
}
"""For each kind, its table and how a row of an age is made."""


async def insert(statement: str, at: datetime, **values: Any) -> None:
    """Each value as a parameter of its own."""
    row_id = new_id()
    found = {"id": row_id, "bytes": row_id.bytes, "text": str(row_id), "at": at, **values}
    names = [name for name in found if f"{{{name}}}" in statement]
    types = {"bytes": "bytea", "text": "text", "at": "timestamptz"}
    places = {name: f"${number}::{types.get(name, 'uuid')}" for number, name in enumerate(names, 1)}
    await rows(statement.format(**places), *(found[name] for name in names))


@pytest.fixture
async def world(app: Litestar, runtime: Runtime, team: UUID) -> Values:
    server = await a_server(runtime, team, "web-1")
    first, second = [await a_member(runtime, team, Role.GUEST) for _ in range(2)]
    return {"team": team, "server": server, "user": first.id, "other": second.id}


async def count(table: str) -> int:
    (found,) = await rows(f"SELECT count(*) AS rows FROM {table}")  # noqa: S608 - of our own names
    return int(found["rows"])


@pytest.mark.parametrize("kept", [one for one in KEPT if one.name in ROWS], ids=lambda one: one.name)
async def test_what_is_too_old_goes_and_what_is_not_stays(
    runtime: Runtime, world: Values, kept: Kept
) -> None:
    table, statement = ROWS[kept.name]
    now = runtime.clock.now()
    before = await count(table)
    old = now - timedelta(days=kept.days, hours=1)
    await insert(statement, old, **world)
    await insert(statement, old + timedelta(hours=2), **(world | {"other": world["user"]}))
    assert await count(table) == before + 2
    await runtime.privacy.tidy()
    assert await count(table) == before + 1
    if kept.fewest < kept.days:
        await runtime.privacy.keep_for(kept.name, kept.fewest)
        await runtime.privacy.tidy()
        assert await count(table) == before


async def test_an_ended_token_goes_and_one_in_use_stays(
    app: Litestar, runtime: Runtime, world: Values
) -> None:
    token = await runtime.tokens.local_access_token()
    await rows("UPDATE api_tokens SET created_at = now() - interval '900 days'")
    await runtime.privacy.tidy()
    assert await code(app, token, "GET", "/api/v2/me") == 200
    await rows("UPDATE api_tokens SET expires_at = now() - interval '401 days'")
    await runtime.privacy.tidy()
    assert await count("api_tokens") == 0


def test_every_kind_is_tried_here() -> None:
    assert {one.name for one in KEPT} - ROWS.keys() == {"revoked_tokens"}


async def test_the_elected_process_does_it(runtime: Runtime) -> None:
    assert runtime.privacy.tidy in [job.run for job in runtime._jobs()]


async def test_operators_set_it_within_bounds_and_it_is_told(
    app: Litestar, runtime: Runtime, owner: Someone
) -> None:
    operator = await runtime.tokens.local_access_token()
    shown = (await ask(app, operator, "GET", "/api/v2/retention")).json()["items"]
    assert [one["name"] for one in shown] == sorted(one.name for one in KEPT)
    path = "/api/v2/retention/commands"
    for days in (0, -1, 3651, 10**30):
        assert (await ask(app, operator, "PUT", path, {"days": days})).status_code in {400, 422}
    assert (await ask(app, operator, "PUT", path, {"days": 7})).json()["days"] == 7
    assert await code(app, operator, "PUT", "/api/v2/retention/nothing", {"days": 7}) == "no_such_retention"
    assert await code(app, owner, "PUT", path, {"days": 8}) == "permission_missing"
    (told,) = await rows("SELECT before, after FROM audit_entries WHERE action = 'rows.retention_changed'")
    assert (told["before"], told["after"]) == ('{"commands": 400}', '{"commands": 7}')


async def test_a_page_for_each(app: Litestar, runtime: Runtime, owner: Someone) -> None:
    await rows("UPDATE users SET operator = true WHERE id = $1", owner.id)
    await rows("UPDATE sessions SET proved_at = now()")
    async with client(app, owner) as browser:
        browser.headers.update(PAGE)
        for path, words in (
            ("/account/data", "Download all of it"),
            ("/retention", "Mails that no mail server took"),
        ):
            assert words in (await browser.get(path)).text
        assert (await browser.get("/account/data/export")).content[:2] == b"PK"
        for days in ("", "0", "9" * 5_000, "4000", "-3"):
            refused = await browser.post("/retention", data={"name": "commands", "days": days})
            assert (refused.status_code, "1 to 3650 days" in refused.text) == (422, True)
        assert (await browser.post("/retention", data={"name": "commands", "days": "30"})).status_code == 303
        alone = await browser.post("/account/data/deletion", data={"email": owner.user.email})
        assert (alone.status_code, "Nobody else owns" in alone.text) == (409, True)
        wrong = await browser.post("/account/data/deletion", data={"email": "<b>@example.org"})
        assert (wrong.status_code, "<b>@" in wrong.text) == (422, False)
        await a_member(runtime, (await rows("SELECT id FROM teams"))[0]["id"], Role.OWNER)
        await rows("UPDATE users SET operator = true")
        gone = await browser.post("/account/data/deletion", data={"email": owner.user.email})
        assert (gone.status_code, gone.headers["location"]) == (303, "/sign-in")
        again = await browser.get("/account/data")
        assert (again.status_code, again.headers["location"].partition("?")[0]) == (303, "/sign-in")
