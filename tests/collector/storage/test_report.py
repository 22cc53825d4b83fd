"""What a terminal is told: the page's figures in columns, and the API's answer for scripts."""

import json

from pudim.wire.batches import block
from pudim_collector.app.storage_report import document, table
from pudim_collector.features.storage.rules import Limit
from tests.collector.app.site import HOST, Site, report


async def test_a_table_for_people_and_json_for_scripts(site: Site) -> None:
    now = int(site.clock.now().timestamp() * 1000)
    times = list(range(now - 3 * 86_400_000, now, 3_600_000))
    await report(await site.enrol(), block(HOST.hash, times, [(0.1, 0.2, 0.3, 0.4, 0.5)] * len(times)))
    await site.runtime.storage.measure()
    limits = {"raw": Limit(7, 64 << 20), "minute": Limit(60, None), "hour": Limit(730, None)}
    await site.runtime.storage.change(limits, "a test")
    view = await site.runtime.storage.view()
    lines = table(view).splitlines()
    assert lines[1].startswith("Raw frames")
    assert "360" in lines[1]
    assert "7 days, 64.0 MiB" in lines[1]
    assert "nothing yet" in lines[2]
    assert lines[-2].startswith("Rolled up until")
    assert lines[-1].startswith("Audit log: ")
    told = json.loads(document(view))
    assert told["tiers"][0]["samples"] == 360
    assert set(told) == set(await site.get("/api/v2/storage"))
