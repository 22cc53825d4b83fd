"""A person takes all that is held about him along, and nothing of anybody else and no secret."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from uuid import UUID

from litestar import Litestar

from pudim_collector.app.features import PERSONAL
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.accounts.rules import digest
from pudim_collector.infra.archives import zipped
from pudim_collector.infra.permissions import Role
from tests.collector.privacy.lives import ADDRESS, AGENT, EMAIL, NAME, rows, somebody_busy
from tests.collector.teams.people import Someone, a_member, ask, code


def opened(archive: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(archive)) as found:
        assert found.testzip() is None
        return {
            name.removesuffix(".json"): json.loads(found.read(name))
            for name in found.namelist()
            if name.endswith(".json")
        } | {"README": found.read("README.txt").decode()}


async def test_it_holds_every_kind_of_rows(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    person = await somebody_busy(app, runtime, team)
    answer = await ask(app, person, "GET", "/api/v2/me/data")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert answer.headers["cache-control"] == "no-store"
    data = opened(answer.content)
    assert data.keys() == {one.name for one in PERSONAL} | {"README"}
    assert {name for name, found in data.items() if not found} <= {
        "senders",
        "kept_answers",
        "token_networks",
    }
    assert data["account"][0]["email"] == EMAIL
    assert data["sessions"][0]["address"] == ADDRESS
    assert data["sessions"][0]["user_agent"] == AGENT
    assert data["memberships"][0] | {"since": 0, "team": 0} == {
        "team_id": str(team), "team": 0, "role": "admin", "own_role": None, "since": 0,
    }  # fmt: skip
    assert [one["name"] for one in data["api_tokens"]] == ["laptop of Grace Hopperova"]
    assert data["failed_attempts"][0] | {"last_at": 0} == {"attempt": "password", "failures": 1, "last_at": 0}
    assert NAME in data["README"]
    everything = answer.content.decode("latin-1") + json.dumps(data)
    for secret in (person.secret, digest(person.secret).hex(), owner.user.name + "@"):
        assert secret not in everything


async def test_that_it_was_taken_is_told(app: Litestar, runtime: Runtime, team: UUID) -> None:
    person = await somebody_busy(app, runtime, team)
    await ask(app, person, "GET", "/api/v2/me/data")
    (told,) = await rows("SELECT * FROM audit_entries WHERE action = 'account.exported'")
    assert (told["actor_id"], told["target_id"]) == (str(person.id), str(person.id))


async def test_a_proof_is_asked_for_and_a_program_gets_nothing(
    app: Litestar, runtime: Runtime, team: UUID
) -> None:
    person = await a_member(runtime, team, Role.GUEST)
    await rows("UPDATE sessions SET proved_at = NULL")
    assert await code(app, person, "GET", "/api/v2/me/data") == "sudo_needed"
    token = await runtime.tokens.local_access_token()
    assert await code(app, token, "GET", "/api/v2/me/data") == "only_people"


async def test_an_operator_answers_for_somebody_and_nobody_else_does(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    person = await somebody_busy(app, runtime, team)
    path = f"/api/v2/people/{person.id}/data"
    operator = await runtime.tokens.local_access_token()
    assert opened((await ask(app, operator, "GET", path)).content)["account"][0]["name"] == NAME
    assert await code(app, owner, "GET", path) == "permission_missing"
    assert await code(app, operator, "GET", f"/api/v2/people/{team}/data") == "no_such_person"


async def test_many_rows_cost_no_more_memory_than_few(runtime: Runtime) -> None:
    """What waits to be read is never more than a few pieces, whatever was written before."""

    async def lines() -> Any:
        for number in range(40_000):
            yield f"{number * 7919:x}\n".encode()

    async def files() -> Any:
        yield "numbers.txt", lines()

    pieces = [len(piece) async for piece in zipped(files(), runtime.clock.now())]
    assert len(pieces) > 2
    assert max(pieces) < 1 << 17
