"""Members, roles and a team's name are changed as they were seen: of two changes made from one sight, one is refused."""

from __future__ import annotations

import asyncio
from uuid import UUID

from litestar import Litestar

from pudim_collector.app.runtime import Runtime
from pudim_collector.infra.permissions import Role
from tests.collector.teams.people import Someone, a_member, client

TEAM = "/api/v2/team"


async def test_a_change_of_what_was_changed_meanwhile_is_refused(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    member = await a_member(runtime, team, Role.VIEWER, "bo")
    async with client(app, owner) as browser:
        role = (await browser.post(f"{TEAM}/roles", json={"name": "R", "permissions": []})).json()["id"]
        for path, first, second in (
            (TEAM, {"name": "One"}, {"name": "Two"}),
            (f"{TEAM}/roles/{role}", {"name": "One"}, {"permissions": ["servers:read"]}),
            (f"{TEAM}/members/{member.id}", {"role": "guest"}, {"role": "developer"}),
        ):
            seen = {"if-match": (await browser.get(path)).headers["etag"]}
            assert (await browser.patch(path, json=first, headers=seen)).is_success
            late = await browser.patch(path, json=second, headers=seen)
            assert (late.status_code, late.json()["code"]) == (412, "precondition_failed"), path
            fresh = {"if-match": (await browser.get(path)).headers["etag"]}
            assert (await browser.patch(path, json=second, headers=fresh)).is_success
            if path != TEAM:
                assert (await browser.delete(path, headers=fresh)).status_code == 412
                last = {"if-match": (await browser.get(path)).headers["etag"]}
                assert (await browser.delete(path, headers=last)).status_code == 204
                assert (await browser.get(path)).status_code == 404


async def test_of_changes_at_once_from_one_sight_one_is_done(
    app: Litestar, runtime: Runtime, team: UUID, owner: Someone
) -> None:
    member = await a_member(runtime, team, Role.VIEWER, "bo")
    path = f"{TEAM}/members/{member.id}"
    async with client(app, owner) as browser:
        seen = {"if-match": (await browser.get(path)).headers["etag"]}
        wanted = ({"role": role} for role in ("guest", "developer", "admin"))
        answers = await asyncio.gather(*(browser.patch(path, json=one, headers=seen) for one in wanted))
    assert sorted(one.status_code for one in answers) == [204, 412, 412]
