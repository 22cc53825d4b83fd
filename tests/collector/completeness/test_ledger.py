"""From frames that agents send to judged days: through the real stream, store, jobs and API."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pudim.wire.batches import Block, block
from pudim.wire.layouts import Layout, Series, Source
from pudim_collector.kernel.clock import ManualClock
from tests.collector.app.site import Site
from tests.collector.ingest.agent import LedAgent

TICK = 10_000
HOST = Source(
    "host",
    (),
    Layout(
        (
            Series("system.cpu.utilization", "1"),
            Series("pudim.agent.ticks.missed", "{tick}"),
            Series("pudim.agent.clock.jumps", "{jump}"),
            Series("system.uptime", "s"),
        )
    ),
)


@pytest.fixture
def clock() -> ManualClock:
    """An hour before noon, so that today has hours behind it; days are judged by this clock alone."""
    return ManualClock(datetime.now(UTC).replace(hour=11, minute=0, second=0, microsecond=0))


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Life:
    """What an agent sampled, ten seconds apart, on a host that started `uptime` seconds before the first frame."""

    def __init__(self, start: int, *, uptime: int = 500_000) -> None:
        self.booted = start - uptime * 1000
        self.missed = self.jumps = 0

    def block(self, times: Iterable[int]) -> Block:
        wanted = list(times)
        rows = [(0.5, self.missed, self.jumps, (time - self.booted) / 1000) for time in wanted]
        return block(HOST.hash, wanted, rows)


async def day_of(site: Site, agent: LedAgent, day: datetime | None = None) -> Any:
    asked = (day or site.clock.now()).date().isoformat()
    found = await site.get(f"/api/v2/servers/{agent.agent_id}/completeness", **{"from": asked, "to": asked})
    (only,) = found["days"]
    return only


def told(day: Any) -> list[tuple[str, int, int]]:
    return [(gap["reason"], gap["missing"], gap["late"]) for gap in day["gaps"]]


async def test_a_server_that_was_never_heard_of(site: Site, clock: ManualClock) -> None:
    agent = await site.enrol()
    day = await day_of(site, agent)
    assert (day["state"], day["percent"], day["gaps"]) == ("not_expected", None, [])
    clock.advance(timedelta(hours=1))
    day = await day_of(site, agent)
    assert (day["state"], day["percent"], told(day)) == ("no_contact", 0.0, [("no_contact", 6 * 56, 0)])
