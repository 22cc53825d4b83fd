"""The pages in a real browser under the real policy: live, zoomed, narrow, dark, and without script."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.web.fake_collector import PAGES, FakeCollector
from tests.web.sample_hosts import SAID_AT, container, host
from tests.web.sample_pages import server, sign

pytestmark = pytest.mark.browser
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
LAYOUT = {
    "source": 1,
    "name": "host",
    "series": [{"metric": "system.cpu.utilization", "labels": {}, "unit": "1"}],
}
# Notes when a frame arrived and when the figure it brings stood on the page.
STOPWATCH = """
  const listen = EventSource.prototype.addEventListener;
  EventSource.prototype.addEventListener = function (name, handle) {
    listen.call(this, name, (event) => { if (name === "frame") window.arrived = performance.now(); handle(event); });
  };
  addEventListener("DOMContentLoaded", () => new MutationObserver((changes) => {
    for (const { target } of changes)
      if (target.closest?.(".chart-figure") && target.textContent === "77 %") window.drawn ??= performance.now();
  }).observe(document.body, { subtree: true, childList: true }));
"""


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    fake = FakeCollector()
    yield fake
    fake.shutdown()
    fake.server_close()


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest.fixture
async def page(browser: Browser, collector: FakeCollector) -> AsyncIterator[Page]:
    """A page that fails the test when the browser complains, about the policy above all."""
    complaints: list[str] = []
    context = await browser.new_context(viewport=DESK, base_url=collector.url)
    tab = await context.new_page()
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on(
        "console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None
    )
    yield tab
    await context.close()
    expected = 2 if collector.broken else 0  # all charts in view at once, then the broken one alone
    assert len(complaints) <= expected, complaints


async def overflow(page: Page) -> int:
    wide: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


async def wait_until_drawn(page: Page) -> None:
    await expect(page.locator('pudim-chart[data-condition="ready"]').first).to_be_visible()


def metrics(asked: list[dict[str, list[str]]]) -> list[str]:
    return [query["metric"][0] for query in asked if query["points"][0] != "60"]


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_every_page_fits_and_obeys_the_policy(page: Page, theme: Any, size: ViewportSize) -> None:
    await page.emulate_media(color_scheme=theme)
    await page.set_viewport_size(size)
    for path in PAGES:
        await page.goto(path)
        assert await overflow(page) <= 0, path
        assert await page.locator("html").get_attribute("data-bs-theme") == theme


async def test_a_live_sample_is_drawn_as_it_arrives(page: Page, collector: FakeCollector) -> None:
    await page.add_init_script(STOPWATCH)
    await page.goto("/servers/1?range=15m")
    await page.get_by_role("button", name="Busy").first.click()
    await wait_until_drawn(page)
    await expect(page.locator("[data-part=live-text]")).to_have_text("Following")
    collector.push("layout", LAYOUT)
    collector.push("frame", {"source": 1, "time": time.time() + 1, "values": [0.77]})
    await expect(page.locator(".chart-figure", has_text="77 %")).to_be_visible()
    await expect(page.locator("pudim-figure", has_text="CPU")).to_contain_text("77 %")
    print(f"drawn {await page.evaluate('window.drawn - window.arrived'):.1f} ms after it arrived")


async def test_a_missing_live_value_is_unknown_not_zero(page: Page, collector: FakeCollector) -> None:
    await page.goto("/servers/1?range=15m")
    await expect(page.locator("[data-part=live-text]")).to_have_text("Following")
    await wait_until_drawn(page)
    collector.push("layout", LAYOUT)
    collector.push("frame", {"source": 1, "time": time.time(), "values": [None]})
    await expect(page.locator("pudim-figure", has_text="CPU")).to_contain_text("unknown")
    await expect(page.locator("pudim-figure", has_text="CPU")).to_have_attribute("data-level", "unknown")


async def test_only_charts_near_the_screen_ask(page: Page, collector: FakeCollector) -> None:
    await page.goto("/servers/1")
    await wait_until_drawn(page)
    await page.wait_for_timeout(300)
    assert "system.linux.pressure.share" not in metrics(collector.asked)
    await page.locator("pudim-chart").last.scroll_into_view_if_needed()
    await expect(page.locator("pudim-chart").last).to_have_attribute("data-condition", "ready")
    assert "system.linux.pressure.share" in metrics(collector.asked)


async def test_dragging_zooms_every_chart_and_escape_comes_back(page: Page, collector: FakeCollector) -> None:
    await page.goto("/servers/1?range=1h")
    await wait_until_drawn(page)
    plot = await page.locator("pudim-chart .u-over").first.bounding_box()
    assert plot
    await page.mouse.move(plot["x"] + 100, plot["y"] + 50)
    await page.mouse.down()
    await page.mouse.move(plot["x"] + 200, plot["y"] + 50, steps=4)
    collector.asked.clear()
    await page.mouse.up()
    await expect(page.locator("[data-part=zoom]")).to_be_visible()
    await expect(page.locator("[data-part=live-text]")).to_have_text("Paused")
    assert "from=" in page.url
    await wait_until_drawn(page)
    assert len(metrics(collector.asked)) >= 3
    assert len({(query["from"][0], query["to"][0]) for query in collector.asked}) == 1
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-part=live-text]")).to_have_text("Following")
    assert page.url.endswith("?range=1h")
    await page.go_back()
    assert "from=" in page.url
    await expect(page.locator("[data-part=zoom]")).to_be_visible()


async def test_the_cross_hair_is_shared(page: Page) -> None:
    await page.goto("/servers/1?range=1h")
    await expect(page.locator('pudim-chart[data-condition="ready"]').nth(1)).to_be_visible()
    plot = await page.locator("pudim-chart .u-over").first.bounding_box()
    assert plot
    await page.mouse.move(plot["x"] + 150, plot["y"] + 50)
    times = page.locator(".chart-legend-time.is-cursor")
    await expect(times.nth(1)).to_be_visible()
    assert len(set(await times.all_inner_texts())) == 1


async def test_a_failed_chart_says_why_and_tries_again(page: Page, collector: FakeCollector) -> None:
    collector.broken = {"system.memory.usage"}
    await page.goto("/servers/1")
    chart = page.locator('pudim-chart[heading="Memory"]')
    await expect(chart).to_contain_text("The database does not answer.")
    collector.broken = {"nothing"}
    await chart.get_by_role("button", name="Try again").click()
    await expect(chart).to_have_attribute("data-condition", "ready")


async def test_an_empty_chart_says_so(page: Page, collector: FakeCollector) -> None:
    collector.empty = True
    await page.goto("/servers/1?range=90d")
    await expect(page.locator("pudim-chart").first).to_contain_text("No samples in this range")


async def test_a_value_that_stopped_coming_is_not_now(page: Page, collector: FakeCollector) -> None:
    collector.silent_for = 300
    await page.goto("/servers/1?range=1h")
    await wait_until_drawn(page)
    assert set(await page.locator("pudim-chart .chart-figure").all_inner_texts()) == {"unknown"}


async def test_a_chart_can_be_read_and_walked_with_the_keyboard(page: Page) -> None:
    await page.goto("/servers/1")
    await wait_until_drawn(page)
    plot = page.locator("pudim-chart [data-part=plot]").first
    await plot.focus()
    await expect(plot).to_have_attribute(
        "aria-label",
        "CPU. user: mean 25 %, highest 25 %, last 25 %; system: mean 25 %, highest 25 %, last 25 %",
    )
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator(".chart-legend-time.is-cursor").first).to_be_visible()


async def test_a_chart_downloads_what_it_shows(page: Page) -> None:
    await page.goto("/servers/1")
    await wait_until_drawn(page)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download CPU as CSV").click()
    path = await (await download.value).path()
    assert path.read_text().startswith("time,user [1],system [1]")


async def test_the_list_stays_true(page: Page, collector: FakeCollector) -> None:
    await page.goto("/servers")
    await expect(page.locator("tr[data-server] a[data-name]")).to_have_text(["db-1", "web-1"])
    while not collector.streams:
        await page.wait_for_timeout(20)
    changed = [server("live", id="2", name="db-1", cpu=0.95), server(cpu=None)]
    collector.push("servers", changed)
    row = page.locator("tr", has_text="db-1")
    await expect(row.locator("[data-state-word]")).to_have_text("live")
    await expect(row.locator('[data-figure="cpu"]')).to_have_attribute("data-level", "high")
    await expect(page.locator("tr", has_text="web-1").locator('[data-figure="cpu"]')).to_contain_text(
        "unknown"
    )
    collector.servers.append(server(id="3", name="newcomer"))
    collector.push("servers", collector.servers)
    await expect(page.locator("tr", has_text="newcomer")).to_be_visible()
    await page.get_by_role("searchbox").fill("web")
    await expect(page.locator("tr[data-server]:visible a[data-name]")).to_have_text(["web-1"])


async def test_the_waiting_page_finds_the_newcomer(page: Page, collector: FakeCollector) -> None:
    await page.goto(next(path for path, sample in PAGES.items() if sample.context.get("enrolment")))
    await expect(page.get_by_text("Waiting for the agent")).to_be_visible()
    await page.wait_for_timeout(200)
    collector.servers.append(server(id="3", name="newcomer"))
    await expect(page.get_by_role("link", name="Open it")).to_have_attribute("href", "/servers/3")


async def test_a_token_is_created_and_shown_once(page: Page) -> None:
    await page.goto("/account/tokens")
    await page.get_by_role("link", name="New token").click()
    await page.get_by_label("Name").fill("script")
    await page.get_by_role("button", name="Create token").click()
    await expect(page.locator("#new-token")).to_have_text("pudim_fresh")
    await page.get_by_role("button", name="Copy").first.click()
    await expect(page.get_by_text("Copied").first).to_be_visible()
    assert page.url.endswith("/account/tokens")


async def test_the_chosen_theme_is_kept(page: Page) -> None:
    await page.goto("/servers")
    await page.get_by_title("Dark").click()
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    await expect(page.get_by_title("Dark")).to_have_attribute("aria-pressed", "true")


async def test_the_menu_opens_on_a_phone(page: Page) -> None:
    await page.set_viewport_size(PHONE)
    await page.goto("/servers")
    await expect(page.get_by_role("link", name="API tokens")).to_be_hidden()
    await page.get_by_role("button", name="Menu").click()
    await expect(page.get_by_role("link", name="API tokens")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("link", name="API tokens")).to_be_hidden()


async def test_pages_show_without_script(browser: Browser, collector: FakeCollector) -> None:
    context = await browser.new_context(java_script_enabled=False, base_url=collector.url)
    page = await context.new_page()
    await page.goto("/servers")
    await expect(page.locator("tr", has_text="web-1")).to_contain_text("12 %")
    await expect(page.locator("tr", has_text="db-1")).to_contain_text("unknown")
    await page.goto("/servers/1")
    await page.get_by_text("newest values").last.click()
    await expect(page.get_by_role("cell", name="system.uptime")).to_be_visible()
    await expect(page.locator("pudim-chart")).to_have_count(9)
    await expect(page.locator("pudim-chart").first).to_be_hidden()
    await context.close()


async def test_parts_are_sorted_and_filtered(page: Page) -> None:
    await page.goto("/servers/1")
    part = page.locator("#containers")
    names = part.locator("tbody tr[data-key] .host-main")
    await part.get_by_role("button", name="Memory").click()
    assert (await names.all_inner_texts())[:2] == ["starting-up", "cache"]
    await expect(part.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    await part.get_by_role("button", name="Memory").click()
    assert (await names.all_inner_texts())[-1] == "starting-up"
    await part.get_by_role("searchbox").fill("SHOP worker")
    await expect(part.locator("tbody tr[data-key]:visible")).to_have_count(1)
    await part.get_by_role("searchbox").fill("nothing like that")
    await expect(part.get_by_text("None of them has that in its name.")).to_be_visible()
    units = page.locator("#units")
    await units.get_by_role("searchbox").fill("apt-daily")
    await expect(units.get_by_text("apt-daily.timer").first).to_be_visible()


async def test_a_container_opens_its_chart_by_keyboard(page: Page, collector: FakeCollector) -> None:
    await page.goto("/servers/1")
    opener = page.locator("#containers").get_by_role("button", name="shop-api-1")
    await opener.focus()
    await page.keyboard.press("Enter")
    await expect(opener).to_have_attribute("aria-expanded", "true")
    chart = page.locator("#containers tr.more pudim-chart")
    await expect(chart).to_have_attribute("label-filter", "container.name=shop-api-1")
    await expect(chart).to_have_attribute("data-condition", "empty")
    assert "container.cpu.usage" in metrics(collector.asked)
    await chart.get_by_role("button", name="Memory").click()
    await expect(chart).to_have_attribute("metric", "container.memory.usage,container.memory.working_set")
    await expect(chart).to_have_attribute("label-filter", "container.name=shop-api-1")
    await page.keyboard.press("Escape")
    await opener.click()
    await expect(chart).to_have_count(0)


async def test_a_part_is_renewed_in_place(page: Page, collector: FakeCollector) -> None:
    """What somebody typed, sorted and opened stays."""
    await page.goto("/servers/1")
    part = page.locator("#containers")
    await part.get_by_role("searchbox").fill("shop-")
    await part.get_by_role("button", name="CPU").first.click()
    await part.get_by_role("button", name="shop-api-1").click()
    renewed = host()
    later = "2026-11-22T16:41:00+00:00"
    renewed["containers"] |= {"received_at": later}
    renewed["containers"]["document"]["containers"].append(container(9, "shop-new-1", cpu=1.9))
    renewed["units"]["document"]["manager"] = "not to be seen: it was not announced"
    collector.host = renewed
    collector.push("notices", {"containers": later, "units": SAID_AT})
    await expect(part.locator("tbody tr[data-key]:visible .host-main")).to_have_text(
        ["shop-new-1", "shop-worker-1", "shop-api-1"]
    )
    await expect(part).to_have_attribute("data-received", later)
    await expect(part.get_by_role("searchbox")).to_have_value("shop-")
    await expect(part.locator("tr.more pudim-chart")).to_be_visible()
    await expect(part.get_by_role("button", name="shop-api-1")).to_have_attribute("aria-expanded", "true")
    await expect(page.locator("#units")).not_to_contain_text("not to be seen")


async def test_a_page_of_its_own_is_shown_in_place(page: Page) -> None:
    await page.goto("/servers/1")
    part = page.locator("#checks")
    await expect(part.get_by_role("link", name="Checks of this server")).to_have_attribute(
        "href", "/servers/00000000-0000-7000-8000-000000000001/checks"
    )
    await part.scroll_into_view_if_needed()
    await expect(part.locator(".card")).not_to_have_count(1)
    await expect(part).to_contain_text("pudim_secret")


async def test_parts_show_without_script(browser: Browser, collector: FakeCollector) -> None:
    context = await browser.new_context(java_script_enabled=False, base_url=collector.url)
    page = await context.new_page()
    await page.goto("/servers/1")
    await page.get_by_role("link", name="Units").click()
    await expect(page.get_by_text("backup.service").first).to_be_in_viewport()
    await expect(page.locator("#containers")).to_contain_text("unhealthy")
    await expect(page.locator("#processes")).to_contain_text("142 %")
    await expect(page.locator("[data-part-filter]").first).to_be_hidden()
    await context.close()


async def test_the_list_hears_of_trouble(page: Page, collector: FakeCollector) -> None:
    await page.goto("/servers")
    row = page.locator("tr", has_text="db-1")
    await expect(row.locator(".sign")).to_have_count(0)
    fallen = server(
        "silent", id="2", name="db-1", signs={"units": sign(9, 1), "checks": sign(2, 2, old=True)}
    )
    collector.push("servers", [server(), fallen])
    await expect(row.locator(".sign")).to_have_text(["1 unit failed", "2 checks down (old)"])
    await expect(row.get_by_role("link", name="1 unit failed")).to_have_attribute("href", "/servers/2#units")


@pytest.mark.parametrize("size", [DESK, PHONE])
async def test_a_label_of_great_length_widens_no_page(page: Page, size: ViewportSize) -> None:
    await page.set_viewport_size(size)
    await page.goto("/servers/1")
    await page.get_by_text("newest values").last.click()
    await expect(page.get_by_text("w" * 256)).to_be_visible()
    assert await overflow(page) <= 0


async def told(page: Page) -> str:
    """What the strip says of the chosen day."""
    (visible,) = [one for one in await page.locator(".strip-detail").all() if await one.is_visible()]
    return " ".join((await visible.inner_text()).split())


async def test_the_strip_is_walked_with_keys(page: Page) -> None:
    await page.goto("/servers/1")
    assert (await told(page)).startswith("22 Nov 2026: no contact, 50 %")
    await page.locator("#day-2026-11-22").focus()
    for _ in range(9):
        await page.keyboard.press("ArrowLeft")
    assert await told(page) == (
        "13 Nov 2026: missing, 0 %. 0 of 8,640 samplings are stored."
        " 10:00\N{EN DASH}11:20:10 the host was down (8,640 missing)"
    )
    await page.locator("label[for=day-2026-11-08]").click()
    text = await told(page)
    assert text.startswith("8 Nov 2026: partly missing, 50 %.")
    assert "the agent could not reach Pudim, and its spool overflowed (540 missing)" in text
    assert text.endswith("and 7 shorter ones")


async def test_the_strip_works_without_script(browser: Browser, collector: FakeCollector) -> None:
    context = await browser.new_context(viewport=DESK, base_url=collector.url, java_script_enabled=False)
    tab = await context.new_page()
    await tab.goto("/servers/1")
    await tab.locator("label[for=day-2026-11-01]").click()
    assert "480 of them came late" in await told(tab)
    await tab.get_by_text("As a table").click()
    assert await tab.locator(".strip-table tbody tr").count() == 83
    await context.close()


async def test_a_phone_shows_a_month_that_fingers_meet(page: Page) -> None:
    await page.set_viewport_size(PHONE)
    await page.goto("/servers/1")
    cells = [one for one in await page.locator(".strip-day > label").all() if await one.is_visible()]
    assert len(cells) == 30
    boxes = [await one.bounding_box() for one in cells]
    assert all(box is not None and box["width"] >= 20 and box["height"] >= 30 for box in boxes)
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(overflow) <= 0


async def test_every_state_of_a_day_has_a_shape_of_its_own(page: Page) -> None:
    """Whoever sees no colours tells them apart by height, pattern and border."""
    await page.goto("/servers/1")
    look = """cell => { const style = getComputedStyle(cell, "::before");
        return [style.height, style.borderTopStyle, style.backgroundImage.replace(/(rgba?|color)\\([^)]*\\)/g, "")].join("|"); }"""
    looks = [await cell.evaluate(look) for cell in await page.locator(".strip-key .strip-cell").all()]
    assert len(looks) == 7
    assert len(set(looks)) == 7, looks
