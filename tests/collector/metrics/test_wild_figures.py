"""An agent may say that anything is infinite; its page, its figures and its stream then call it unknown."""

import math

from pudim.wire.batches import block
from pudim.wire.layouts import Layout, Series, Source
from tests.collector.app.site import PAGE, Site, store
from tests.collector.ingest.agent import now_ms

WILD = Source(
    "host",
    (),
    Layout(
        (
            Series("system.cpu.utilization", "1"),
            Series("system.memory.utilization", "1"),
            Series("system.uptime", "s"),
            Series("system.cpu.load_average.1m", "{thread}"),
            Series("system.cpu.logical.count", "{cpu}"),
            Series("system.filesystem.utilization", "1", (("system.filesystem.mountpoint", "/"),)),
        )
    ),
)


async def test_infinities_are_unknown_and_fail_no_page(site: Site) -> None:
    agent = await site.enrol("web-1")
    values = (math.inf, -math.inf, math.inf, -math.inf, math.inf, 1e300)
    async with agent:
        await store(agent, 1, [block(WILD.hash, [now_ms()], [values])], WILD)
    (server,) = (await site.get("/api/v2/servers"))["items"]
    assert (server["cpu"], server["memory"]) == (None, None)
    latest = await site.get(f"/api/v2/servers/{server['id']}/latest")
    assert [one["value"] for one in latest if one["metric"] != "system.filesystem.utilization"] == [None] * 5
    found = await site.get("/api/v2/series", metric="system.filesystem.utilization", to="-0s")
    assert [one["avg"] for one in found["series"]] in ([], [[None]])
    async with site.client(**PAGE) as client:
        for path in ("/servers", f"/servers/{server['id']}"):
            page = await client.get(path)
            assert page.status_code == 200, path
            assert "inf %" not in page.text
