"""A revoked agent is out at once, whichever process holds its session and whatever it missed."""

import asyncio
from pathlib import Path

import pytest

from pudim.wire.messages import Opening, Refuse
from pudim.wire.refusals import RevokedAgent
from pudim_collector.app.agents import EnrolledAgents
from pudim_collector.app.revoking import Revoking
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import HOST, Site, assembled, figures, serving, store, whole
from tests.collector.ingest.agent import LedAgent

OPENING = Opening(0, "0.1.0", b"b" * 16, 10_000, {})


async def delete(site: Site, agent: LedAgent, status: int = 204) -> None:
    async with site.client() as client:
        answer = await client.delete(f"/api/v2/servers/{agent.agent_id}")
    assert answer.status_code == status, answer.text


async def out(agent: LedAgent) -> None:
    """Read on until the end, which must tell why."""
    said = await agent.heard()
    while not isinstance(said, Refuse):
        said = await agent.heard()
    assert (said.code, said.retry) == ("revoked_agent", False)
    assert await agent.closed() == (4403, "revoked_agent")


async def test_an_open_session_ends_at_once_and_no_other_begins(site: Site) -> None:
    agent, other = await site.enrol("one"), await site.enrol("two")
    async with agent, other:
        await store(agent, 1, [figures()], HOST)
        await delete(site, agent)
        async with asyncio.timeout(2):
            await out(agent)
        await store(other, 1, [figures()], HOST)
    with pytest.raises(Exception, match="revoked_agent"):
        await agent.connect()
    found = await site.get(f"/api/v2/servers/{agent.agent_id}")
    assert (found["state"], found["cpu"], found["last_seen_at"] is None) == ("revoked", None, False)
    assert (await site.get("/api/v2/servers"))["items"][0]["state"] == "revoked"


async def test_another_process_ends_the_session_that_it_holds(
    site: Site, tmp_path: Path, clock: ManualClock
) -> None:
    agent = await site.enrol()
    async with serving(assembled(tmp_path, clock)) as port:
        agent.port = port
        async with agent:
            await store(agent, 1, [figures()], HOST)
            await delete(site, agent)
            async with asyncio.timeout(2):
                await out(agent)


async def test_what_was_revoked_while_nothing_could_be_heard(site: Site) -> None:
    """The announcement is lost with the connection; the next connection makes up for it."""
    agent = await site.enrol()
    async with agent:
        await store(agent, 1, [figures()], HOST)
        async with database.transaction(), database.connection() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'pudim announcements' AND datname = current_database()"
            )
            await connection.execute("UPDATE servers SET revoked_at = now()")
        await out(agent)


async def test_revoked_between_greeting_and_opening(site: Site) -> None:
    agent = await site.enrol()
    await agent.connect()
    await delete(site, agent)
    await asyncio.sleep(0.2)
    await agent.open()
    await out(agent)


async def test_what_is_heard_while_the_opening_is_stored_counts(site: Site) -> None:
    led = await site.enrol()
    agents = EnrolledAgents(
        site.runtime.servers,
        site.runtime.notices,
        site.runtime.uptime,
        site.runtime.commanding,
        site.runtime.successor,
    )
    found = await agents.find(led.agent_id)
    assert found
    await agents.opened(found, OPENING)
    agents.revoke(led.agent_id)
    with pytest.raises(RevokedAgent):
        await agents.opened(found, OPENING)


async def test_a_restarted_loop_begins_with_all_that_are_revoked(site: Site) -> None:
    led = await site.enrol()
    await site.runtime.servers.revoke(await whole(site.runtime), led.agent_id)
    agents = EnrolledAgents(
        site.runtime.servers,
        site.runtime.notices,
        site.runtime.uptime,
        site.runtime.commanding,
        site.runtime.successor,
    )
    deaf = Announcements(database, ["pudim_revoked"])
    loop = asyncio.create_task(Revoking(deaf, site.runtime.servers, agents, site.runtime.stream).run())
    while led.agent_id not in agents._revoked:
        await asyncio.sleep(0.01)
    loop.cancel()


async def test_revoking_again_changes_nothing_and_a_stranger_is_unknown(site: Site) -> None:
    agent = await site.enrol()
    await delete(site, agent)
    await delete(site, agent)
    agent.agent_id = agent.agent_id.__class__(int=1)
    await delete(site, agent, 404)
