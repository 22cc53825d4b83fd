"""A POST that is repeated under its key does nothing twice, also at once, after a failure and after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from litestar import post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException

from pudim_collector.features.senders.rules import Caps
from pudim_collector.infra.api.conventions import Conventions
from pudim_collector.infra.api.idempotency import LONGEST_KEY, Answer, Call
from pudim_collector.infra.auth import Principal, requires
from pudim_collector.infra.database import database
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.manifest import Feature
from tests.collector.app.site import Site

SENDERS = "/api/v2/senders"
KEY = {"idempotency-key": "order-1"}


async def names(site: Site) -> list[str]:
    return [one["name"] for one in (await site.get(SENDERS))["items"]]


async def rows(query: str) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        cursor = await connection.execute(query)
        return await cursor.fetchall() if cursor.description else []


async def test_a_repetition_gets_the_first_answer_even_with_its_secret(site: Site) -> None:
    async with site.client(**KEY) as client:
        first = await client.post(SENDERS, json={"name": "ci"})
        second = await client.post(SENDERS, json={"name": "ci"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert await names(site) == ["ci"]


async def test_secrets_in_kept_answers_are_sealed(site: Site) -> None:
    async with site.client(**KEY) as client:
        secret = (await client.post("/api/v2/tokens", json={"name": "ci"})).json()["secret"]
    kept = await rows("SELECT answer, body_hash, call FROM api_answers")
    assert len(kept) == 1
    assert all(secret.encode() not in bytes(column) for column in kept[0])


async def test_many_at_once_do_it_once(site: Site) -> None:
    async with site.client(**KEY) as client:
        answers = await asyncio.gather(*(client.post(SENDERS, json={"name": "ci"}) for _ in range(12)))
        last = await client.post(SENDERS, json={"name": "ci"})
    assert await names(site) == ["ci"]
    assert {one.status_code for one in answers} <= {201, 409}
    made = [one for one in answers if one.status_code == 201]
    assert {one.content for one in made} == {last.content}
    assert sum("idempotent-replayed" not in one.headers for one in made) == 1
    refused = [one for one in answers if one.status_code == 409]
    assert {(one.json()["code"], one.headers["retry-after"]) for one in refused} <= {
        ("idempotency_key_in_use", "1")
    }


async def test_a_key_belongs_to_its_body_route_and_asker(site: Site) -> None:
    async with site.client() as owner:
        other = (await owner.post("/api/v2/tokens", json={"name": "other"})).json()["secret"]
    async with site.client(**KEY) as client:
        assert (await client.post(SENDERS, json={"name": "ci"})).status_code == 201
        changed = await client.post(SENDERS, json={"name": "cd"})
        assert (changed.status_code, changed.json()["code"]) == (422, "idempotency_key_reused")
        assert (await client.post("/api/v2/tokens", json={"name": "ci"})).status_code == 201
    async with site.client(other, **KEY) as client:
        theirs = await client.post(SENDERS, json={"name": "ci"})
    assert "idempotent-replayed" not in theirs.headers
    assert await names(site) == ["ci", "ci"]


async def test_a_refusal_is_kept_and_one_for_a_while_is_not(site: Site) -> None:
    async with site.client(**KEY) as client:
        answers = [await client.post(SENDERS, json={"name": ""}) for _ in range(2)]
    assert [one.status_code for one in answers] == [answers[0].status_code] * 2
    assert 400 <= answers[0].status_code < 500
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert answers[1].json() == answers[0].json()


async def test_after_a_day_the_key_is_free_and_the_answer_gone(site: Site) -> None:
    async with site.client(**KEY) as client:
        await client.post(SENDERS, json={"name": "ci"})
        site.clock.advance(timedelta(hours=23))
        assert "idempotent-replayed" in (await client.post(SENDERS, json={"name": "ci"})).headers
        await site.runtime.answers.forget()
        assert len(await rows("SELECT 1 FROM api_answers")) == 1
        site.clock.advance(timedelta(hours=1))
        await site.runtime.answers.forget()
        assert await rows("SELECT 1 FROM api_answers") == []
        assert "idempotent-replayed" not in (await client.post(SENDERS, json={"name": "ci"})).headers


@pytest.mark.parametrize("key", ["", "x" * (LONGEST_KEY + 1), "a b", "ä"])
async def test_what_is_no_key_is_refused(site: Site, key: str) -> None:
    async with site.client() as client:
        answer = await client.post(
            SENDERS, json={"name": "ci"}, headers={b"idempotency-key": key.encode("latin-1")}
        )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")
    assert await names(site) == []


async def test_the_longest_key_and_other_methods_work(site: Site) -> None:
    async with site.client(**{"idempotency-key": "x" * LONGEST_KEY}) as client:
        assert (await client.post(SENDERS, json={"name": "ci"})).status_code == 201
        assert "idempotent-replayed" not in (await client.get(SENDERS)).headers


@dataclass
class Trouble:
    """A POST of the test's own: it makes a sender, and then ends as it is told."""

    site: Site
    ends: list[Exception | None]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        @post("/api/v2/trouble", opt=requires("senders:write"))
        async def handler(principal: NamedDependency[Principal]) -> dict[str, str]:
            made = await self.site.runtime.senders.create(principal, "made", Caps())
            end = self.ends.pop(0)
            if end is not None:
                raise end
            return {"id": str(made.record.id)}

        runtime = self.site.runtime
        feature = Feature("trouble", [handler], {"senders:write": "Make trouble"})
        conventions = Conventions(b"k" * 32, runtime.answers, runtime.clock)
        app = build_app([feature], runtime.authentication, conventions=conventions)
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
        bearer = {"authorization": f"Bearer {self.site.token}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://pudim.test", headers=bearer | KEY
        ) as client:
            yield client


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_succeed_later_is_undone_and_tried_again(site: Site, status: int) -> None:
    async with Trouble(site, [HTTPException(status_code=status), None]).client() as client:
        assert (await client.post("/api/v2/trouble")).status_code == status
        assert await names(site) == []
        again = await client.post("/api/v2/trouble")
    assert again.status_code == 201
    assert "idempotent-replayed" not in again.headers
    assert await names(site) == ["made"]


async def test_what_was_refused_in_the_middle_is_undone_and_stays_refused(site: Site) -> None:
    async with Trouble(site, [HTTPException(status_code=409)]).client() as client:
        assert (await client.post("/api/v2/trouble")).status_code == 409
        replayed = await client.post("/api/v2/trouble")
    assert (replayed.status_code, replayed.headers["idempotent-replayed"]) == (409, "true")
    assert await names(site) == []


async def test_a_crash_before_the_commit_leaves_neither_work_nor_answer_nor_lock(site: Site) -> None:
    async def crash() -> None:
        async with database.connection() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async def work() -> Answer:
        async with database.connection() as connection:
            await connection.execute("INSERT INTO made VALUES (1)")
        if not crashed:
            crashed.append(True)
            await crash()
        return Answer(201, {}, b"{}")

    crashed: list[bool] = []
    await rows("CREATE TABLE made (number int)")
    call = Call(b"c" * 32, UUID(int=1), b"b" * 32)
    with pytest.raises(psycopg.Error):
        await site.runtime.answers.once(call, work)
    assert await rows("SELECT * FROM made") == []
    assert (await site.runtime.answers.once(call, work))[1] is False
    assert (await site.runtime.answers.once(call, work))[1] is True
    assert await rows("SELECT * FROM made") == [(1,)]
