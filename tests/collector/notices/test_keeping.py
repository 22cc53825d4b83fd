"""The newest word of each agent is kept, whatever mad ones say, and nobody waits for that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pudim.wire.messages import MAX_NOTICE_BYTES, Notice
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.notices import queries as notice_queries
from pudim_collector.features.notices.schemas import Container, Containers, Kind
from pudim_collector.features.notices.service import MOST_A_WRITE, HostNotices
from pudim_collector.features.servers import queries
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.database import database
from pudim_collector.infra.database.errors import DatabaseClosedError
from pudim_collector.infra.telemetry import registry
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import whole
from tests.collector.notices.documents import CONTAINERS, EVERY, HOSTILE, UNITS

AT = 1_795_000_000_000


async def new_server(number: int = 1) -> UUID:
    server = UUID(int=number)
    await queries.insert_server(server, f"s{number}", b"k" * 32, {}, datetime.now(UTC))
    return server


def counted(name: str, **labels: str) -> float:
    return registry.get_sample_value(name, labels) or 0.0


def notice(kind: str, document: Any, at: int = AT) -> Notice:
    return Notice(kind, at, document)


async def kept(runtime: Runtime, server: UUID, kind: str, document: Any) -> Any:
    runtime.notices.keep(server, notice(kind, document))
    await runtime.notices.write()
    found = await runtime.notices.one(await whole(runtime), server, kind)
    return None if found is None else found.document


@pytest.mark.parametrize("kind", EVERY)
async def test_each_kind_is_kept(runtime: Runtime, clock: ManualClock, kind: str) -> None:
    server = await new_server()
    assert await runtime.notices.one(await whole(runtime), server, kind) is None
    assert await kept(runtime, server, kind, EVERY[kind])
    found = (await runtime.notices.all(await whole(runtime), server))[kind]
    assert (found.at, found.received_at) == (datetime.fromtimestamp(AT / 1000, UTC), clock.now())


def test_every_kind_has_a_document_in_these_tests() -> None:
    assert set(EVERY) == set(Kind)
    assert len(Kind) <= 16


async def test_what_was_said_comes_back(runtime: Runtime) -> None:
    found: Containers = await kept(runtime, await new_server(), "containers", CONTAINERS)
    assert found.containers[0] == Container(**CONTAINERS["containers"][0])
    assert found.containers[1].cpu is None
    assert found.runtimes == ["docker"]


async def test_only_the_newest_is_kept_and_of_many_in_a_second_one_is_written(runtime: Runtime) -> None:
    server, before = await new_server(), counted("pudim_notices_kept_total")
    for number in range(2_000):
        runtime.notices.keep(server, notice("units", {"units": [], "manager": str(number)}))
    await runtime.notices.write()
    found = await runtime.notices.one(await whole(runtime), server, "units")
    assert found is not None
    assert found.document.manager == "1999"
    assert counted("pudim_notices_kept_total") - before == 1


async def test_more_than_one_statement_holds_wait_for_the_next_and_none_is_lost(runtime: Runtime) -> None:
    number = MOST_A_WRITE // len(EVERY) + 5
    servers = [await new_server(one) for one in range(number)]
    for server in servers:
        for kind, document in EVERY.items():
            runtime.notices.keep(server, notice(kind, document))
    for server in servers:
        # Said again, a notice keeps its place in the line.
        runtime.notices.keep(server, notice("units", UNITS))
    await runtime.notices.write()
    assert len(await runtime.notices.all(await whole(runtime), servers[0])) == len(EVERY)
    assert not await runtime.notices.all(await whole(runtime), servers[-1])
    await runtime.notices.write()
    assert len(await runtime.notices.all(await whole(runtime), servers[-1])) == len(EVERY)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("units", {"units": {}}),
        ("units", {"units": [1]}),
        ("units", {"units": [{"description": "without a name"}]}),
        ("units", {"units": [{"name": "a.service", "since": -1}]}),
        ("units", {"units": [{"name": "a.service", "since": 2**63}]}),
        ("units", {"units": [{"name": "x" * 10_000}]}),
        ("units", {"units": [{"name": b"\xff\xfe"}]}),
        ("units", {b"\xff": 1, "units": 7}),
        ("containers", {"containers": [{"id": "a", "memory": -5}]}),
        ("containers", {"containers": [{"id": "a"}] * 1_001}),
        ("processes", {"cpu": [{"pid": 10**19, "name": "x"}]}),
        ("facts", {"os.description": ["a"]}),
        ("facts", {str(number): "x" for number in range(65)}),
        ("disks", {"disks": None}),
        ("policy", {"frozen": "maybe"}),
    ],
)
async def test_absurd_documents_are_counted_and_harm_no_others(
    runtime: Runtime, kind: str, document: dict[Any, Any]
) -> None:
    one, other = await new_server(1), await new_server(2)
    before = counted("pudim_notices_refused_total", reason="shape")
    runtime.notices.keep(one, notice(kind, document))
    runtime.notices.keep(other, notice("containers", CONTAINERS))
    await runtime.notices.write()
    assert counted("pudim_notices_refused_total", reason="shape") - before == 1
    assert await runtime.notices.one(await whole(runtime), one, kind) is None
    assert await runtime.notices.one(await whole(runtime), other, "containers") is not None


async def test_an_absurd_document_leaves_the_one_before(runtime: Runtime) -> None:
    server = await new_server()
    await kept(runtime, server, "units", UNITS)
    assert (await kept(runtime, server, "units", {"units": 5})).manager == "degraded"


async def test_unknown_kinds_and_long_documents_are_not_even_held(runtime: Runtime) -> None:
    server = await new_server()
    runtime.notices.keep(server, notice("weather", {}))
    runtime.notices.keep(server, notice("units", {"units": [], "x": "y" * MAX_NOTICE_BYTES}))
    assert not runtime.notices._waiting
    assert counted("pudim_notices_refused_total", reason="unknown_kind") >= 1
    assert counted("pudim_notices_refused_total", reason="too_long") >= 1


@pytest.mark.parametrize("text", [*HOSTILE, "a\0b", "\0\0", "\\u0000", "\\\0", "\U0010ffff", ""])
async def test_hostile_texts_stay_texts(runtime: Runtime, text: str) -> None:
    found = await kept(runtime, await new_server(), "units", {"units": [{"name": text}]})
    assert found.units[0].name == text.replace("\0", "\ufffd")


async def test_what_a_newer_agent_adds_is_passed_over(runtime: Runtime) -> None:
    document = {"units": [{"name": "a.service", "mood": "good"}], "moods": {"a": [1]}}
    found = await kept(runtime, await new_server(), "units", document)
    assert found.units[0].name == "a.service"


async def test_figures_that_are_none_or_not_numbers_are_not_known(runtime: Runtime) -> None:
    document = {"containers": [{"id": "a", "cpu": float("nan")}, {"id": "b", "cpu": None}]}
    found = await kept(runtime, await new_server(), "containers", document)
    assert [one.cpu for one in found.containers] == [None, None]


async def test_servers_that_are_gone_or_revoked_are_passed_over(runtime: Runtime) -> None:
    there, revoked = await new_server(1), await new_server(2)
    await queries.set_revoked(await whole(runtime), revoked, datetime.now(UTC))
    for server in (there, revoked, UUID(int=3)):
        runtime.notices.keep(server, notice("units", UNITS))
    await runtime.notices.write()
    assert await runtime.notices.one(await whole(runtime), there, "units") is not None
    assert await runtime.notices.one(await whole(runtime), revoked, "units") is None


async def test_they_go_with_their_server(runtime: Runtime) -> None:
    server = await new_server()
    await kept(runtime, server, "units", UNITS)
    await queries.delete_servers([server])
    assert await runtime.notices.all(await whole(runtime), server) == {}


async def test_what_another_process_has_newer_stays(runtime: Runtime, clock: ManualClock) -> None:
    server = await new_server()
    late = HostNotices(Announcements(database, []), ManualClock(clock.now() - timedelta(seconds=5)))
    late.keep(server, notice("units", {"units": [], "manager": "before"}))
    await kept(runtime, server, "units", UNITS)
    await late.write()
    found = await runtime.notices.one(await whole(runtime), server, "units")
    assert found is not None
    assert found.document.manager == "degraded"


async def test_what_could_not_be_written_waits(runtime: Runtime, fresh_database: str) -> None:
    server = await new_server()
    runtime.notices.keep(server, notice("units", UNITS))
    runtime.notices.keep(server, notice("containers", CONTAINERS))
    await database.close()
    with pytest.raises(DatabaseClosedError):
        await runtime.notices.write()
    runtime.notices.keep(server, notice("units", {"units": [], "manager": "newer"}))
    await database.open(fresh_database, max_size=5)
    await asyncio.wait_for(runtime.notices._arrived.wait(), 5)
    await runtime.notices.write()
    found = await runtime.notices.all(await whole(runtime), server)
    assert (found["units"].document.manager, len(found)) == ("newer", 2)


async def test_a_notice_of_a_kind_that_is_no_more_is_passed_over(runtime: Runtime) -> None:
    server = await new_server()
    await kept(runtime, server, "units", UNITS)
    async with database.connection() as connection:
        await connection.execute("UPDATE notices SET kind = 'weather'")
    assert await notice_queries.all_of(await whole(runtime), server)
    assert await runtime.notices.all(await whole(runtime), server) == {}
