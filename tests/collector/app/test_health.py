"""What an operator's tools see of a process: well, with a loop that fails, without its database."""

import asyncio
import logging
from dataclasses import replace

import psycopg
import pytest

from pudim_collector.app.health import loop_failures
from pudim_collector.infra.database import database
from pudim_collector.infra.supervised import Backoff
from tests.collector.app.site import Site, figures, report

LOOPS = {
    "memory",
    "announcements",
    "address lists",
    "audit trail",
    "writer",
    "notices",
    "senders",
    "collector run",
    "watching",
    "revoking",
    "commanding",
    "successor told",
    "limits",
    "checks told",
    "scheduler",
}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


async def test_all_is_well(site: Site) -> None:
    async with site.client(token="") as client:
        alive = await client.get("/healthz")
        assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
        assert (await client.head("/healthz")).status_code == 200
        ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json() == {
            "status": "ready",
            "database": "reached",
            "loops": dict.fromkeys(LOOPS, "running"),
            "checks": {"storing": "well"},
        }


async def test_a_loop_that_fails_shows(site: Site) -> None:
    async def failing() -> None:
        raise OSError("no route")

    site.runtime.supervisor.backoff = replace(Backoff(), first=60, most=60)
    site.runtime.supervisor.start("failing", failing)
    await asyncio.sleep(0.1)
    async with site.client(token="") as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert (ready.json()["status"], ready.json()["loops"]["failing"]) == ("not ready", "restarting")
        assert (await client.get("/healthz")).status_code == 200
        shown = (await client.get("/metrics")).text
    assert 'pudim_loop_failures{loop="failing"} 1.0' in shown
    loop_failures.remove("failing")


async def test_what_cannot_be_stored_is_told_until_a_commit_works(site: Site) -> None:
    site.runtime.writer.storing.failed(psycopg.errors.DiskFull("could not extend file"))
    async with site.client(token="") as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        assert ready.json()["checks"] == {"storing": "the database's disk is full"}
        await report(await site.enrol(), figures())
        assert (await client.get("/readyz")).json()["checks"] == {"storing": "well"}


async def test_metrics_count_what_agents_sent(site: Site) -> None:
    await report(await site.enrol(), figures())
    async with site.client(token="") as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "pudim_ingest_batches_total" in answer.text
    assert "pudim_ingest_sessions 0.0" in answer.text
    assert 'pudim_database_pool_size{pool="pudim"}' in answer.text
    assert 'pudim_database_pool_available{pool="pudim reading"}' in answer.text
    assert 'pudim_database_statement_seconds_count{statement="advance_ledger"}' in answer.text


async def test_without_its_database(site: Site, empty_database: str) -> None:
    """Alive and not ready; the API says so without an inside word; nothing hangs, and it comes back."""
    await database.close()
    async with site.client(token="") as client:
        async with asyncio.timeout(8):
            ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["database"]) == (503, "not reached")
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
    async with site.client() as client:
        answer = await client.get("/api/v2/servers")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert "psycopg" not in answer.text
    await database.open(empty_database, max_size=5)
    async with site.client(token="") as client, asyncio.timeout(20):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.1)
    assert await site.get("/api/v2/servers") == {"items": [], "next_cursor": None}
