"""What is shown of the store, and limits that are changed: measured on real tables, through API and page."""

import re
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import httpx
import pytest

from pudim.wire.batches import block
from pudim_collector.features.storage.rules import Limit
from pudim_collector.infra.database import database
from pudim_collector.series.retention import Retention
from tests.collector.app.site import HOST, PAGE, Site, report

HOUR_MS = 3_600_000
UNLIMITED = {"raw": {"days": 7}, "minute": {"days": 60}, "hour": {"days": 730}}


def wanted(**changed: dict[str, Any]) -> dict[str, Any]:
    return UNLIMITED | changed


async def tier(site: Site, name: str) -> dict[str, Any]:
    status = await site.get("/api/v2/storage")
    found: dict[str, Any] = next(one for one in status["tiers"] if one["tier"] == name)
    return found


async def fill(site: Site, days: int = 5) -> None:
    """A frame of five values at this hour of each of the last days."""
    now = int(site.clock.now().timestamp() * 1000)
    times = [now - ago * 24 * HOUR_MS for ago in range(days, -1, -1)]
    await report(await site.enrol(), block(HOST.hash, times, [(0.1, 0.2, 0.3, 0.4, 0.5)] * len(times)))
    await site.runtime.storage.measure()


async def signed_in(site: Site) -> httpx.AsyncClient:
    """The owner's browser."""
    runtime = site.runtime
    link = await runtime.accounts.ensure_setup_link()
    browser = httpx.AsyncClient(base_url=site.url, headers=PAGE, timeout=20)
    answer = await browser.post(
        str(link), data={"name": "Ada", "email": "ada@example.org", "password": "a long walk by the sea"}
    )
    assert answer.status_code == 303, answer.text
    return browser


def csrf(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def form(token: str, **changed: str) -> dict[str, str]:
    limits = {"raw_days": "7", "minute_days": "60", "hour_days": "730"}
    return {"csrf_token": token, "raw_bytes": "", "minute_bytes": "", "hour_bytes": ""} | limits | changed


async def test_a_new_installation_holds_nothing_and_knows_it(site: Site) -> None:
    status = await site.get("/api/v2/storage")
    assert [one["tier"] for one in status["tiers"]] == ["raw", "minute", "hour"]
    assert all((one["samples"], one["oldest"], one["forecast"]) == (0, None, None) for one in status["tiers"])
    assert status["tiers"][0]["limit"] == {"days": 7, "bytes": None}
    assert status["database"]["backend"] in {"partitions", "hypertable"}
    assert status["database"]["bytes"] > 10**6
    assert 0 < status["disk"]["free"] <= status["disk"]["total"]
    assert status["disk_full_in_days"] is None
    (others,) = status["others"]
    assert others["name"] == "Audit log"
    assert others["bytes"] > 0
    assert status["pool"]["pool_size"] >= 1


async def test_samples_are_counted_where_they_are(site: Site) -> None:
    await fill(site)
    raw = await tier(site, "raw")
    assert (raw["rows"], raw["samples"]) == (6, 30)
    assert raw["bytes_per_sample"] == raw["bytes"] / 30
    assert raw["days"] == pytest.approx(5, abs=0.01)
    assert raw["bytes_per_day"] > 0
    assert raw["forecast"]["bound"] == "age"
    assert raw["forecast"]["in_days"] == pytest.approx(2, abs=0.01)

    await site.runtime.upkeep.run_once()
    await site.runtime.storage.measure()
    raw, minutes, hours = [await tier(site, name) for name in ("raw", "minute", "hour")]
    assert raw["samples"] == minutes["samples"] == 30
    assert hours["samples"] in {25, 30}  # the hour that is not over has none yet
    assert hours["days"] == pytest.approx(5, abs=0.1)
    assert hours["oldest"] <= minutes["oldest"] <= raw["oldest"]


async def test_each_day_leaves_its_sizes(site: Site) -> None:
    await fill(site)
    site.clock.advance(timedelta(days=1))
    await site.runtime.storage.measure()
    history = (await site.get("/api/v2/storage"))["history"]
    assert len(history) == 2
    assert history[0]["raw"] > 0
    assert history[1]["database"] > history[1]["raw"] + history[1]["minute"]


async def test_a_preview_tells_what_would_go_and_changes_nothing(site: Site) -> None:
    await fill(site)
    async with site.client() as program:
        answer = await program.post("/api/v2/storage/preview", json=wanted(raw={"days": 2}))
        assert answer.status_code == 200
        (loss,) = answer.json()
        assert loss["tier"] == "raw"
        assert loss["bytes"] > 0
        assert 2 < loss["days"] <= 3
        assert (await program.post("/api/v2/storage/preview", json=UNLIMITED)).json() == []
    assert (await tier(site, "raw"))["limit"]["days"] == 7


async def test_limits_that_are_set_are_kept_and_heard(site: Site) -> None:
    """Also by the process that takes frames, which knows the limits in memory."""
    await fill(site)
    async with site.client() as program:
        answer = await program.put("/api/v2/storage/limits", json=wanted(raw={"days": 2, "bytes": 10**9}))
    assert answer.status_code == 200
    assert answer.json()["raw"] == {"days": 2, "bytes": 10**9}
    runtime, now = site.runtime, site.clock.now()
    async with runtime.database.connection() as connection:
        while runtime.store.oldest_taken(now) != now - timedelta(days=2):
            await connection.execute("SELECT pg_sleep(0.02)")
    dropped = await Retention(database, runtime.store, runtime.storage.raw_moved).run_once(now)
    assert dropped
    await runtime.storage.measure()
    assert (await tier(site, "raw"))["rows"] == 3


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (wanted(raw={"days": 0}), 400),
        (wanted(raw={"days": 61}), 422),
        (wanted(raw={"days": 7, "bytes": 5}), 400),
        (wanted(raw={"days": "many"}), 400),
        ({"raw": {"days": 7}}, 400),
        (wanted(second={"days": 7}), 400),
    ],
)
async def test_limits_that_cannot_be_kept_are_refused(site: Site, bad: dict[str, Any], status: int) -> None:
    async with site.client() as program:
        for call in (
            program.put("/api/v2/storage/limits", json=bad),
            program.post("/api/v2/storage/preview", json=bad),
        ):
            answer = await call
            assert answer.status_code == status, answer.text
    assert await site.runtime.storage.limits() == {
        "raw": Limit(7, None),
        "minute": Limit(60, None),
        "hour": Limit(730, None),
    }


async def test_the_page_shows_what_the_api_says(site: Site) -> None:
    async with aclosing(await signed_in(site)) as browser:
        empty = await browser.get("/storage")
        assert empty.status_code == 200
        assert "Nothing to measure yet" in empty.text
        await fill(site)
        page = (await browser.get("/storage")).text
    assert "Nothing to measure yet" not in page
    assert "Raw frames" in page
    assert re.search(r"Samples</dt><dd>30</dd>", page)
    assert 'aria-current="page"' in page


async def test_the_form_shows_a_loss_before_it_saves(site: Site) -> None:
    await fill(site)
    async with aclosing(await signed_in(site)) as browser:
        token = csrf((await browser.get("/storage")).text)
        asked = await browser.post("/storage", data=form(token, raw_days="2"))
        assert asked.status_code == 200
        assert "This drops, for good" in asked.text
        assert "Drop and save" in asked.text
        assert (await site.runtime.storage.limits())["raw"] == Limit(7, None)
        saved = await browser.post("/storage", data=form(token, raw_days="2", confirmed="yes"))
        assert (saved.status_code, saved.headers["location"]) == (303, "/storage?saved=yes")
        assert "Saved" in (await browser.get(saved.headers["location"])).text
    assert (await site.runtime.storage.limits())["raw"] == Limit(2, None)


async def test_the_form_saves_at_once_what_drops_nothing(site: Site) -> None:
    await fill(site)
    async with aclosing(await signed_in(site)) as browser:
        token = csrf((await browser.get("/storage")).text)
        saved = await browser.post("/storage", data=form(token, raw_days="30", raw_bytes="20 GiB"))
        assert saved.status_code == 303
        assert 'value="20 GiB"' in (await browser.get("/storage")).text
        wrong = await browser.post("/storage", data=form(token, minute_days="3", raw_bytes="<b>"))
        assert wrong.status_code == 422
        assert 'value="&lt;b&gt;"' in wrong.text
        assert "aria-invalid" in wrong.text
        assert (await browser.post("/storage", data=form("x"))).status_code == 403
    assert (await site.runtime.storage.limits())["raw"] == Limit(30, 20 << 30)
