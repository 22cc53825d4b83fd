"""The first ten minutes of a newcomer: one command, one link, live charts of this host."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.running import RunningPudim

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PICTURES = Path(__file__).parent / "screenshots"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
NAME, EMAIL, PASSWORD = "Ada", "ada@example.org", "a long walk by the sea"
CANVAS = "pudim-chart canvas"


async def test_the_api_lists_the_host_within_half_a_minute(pudim: RunningPudim) -> None:
    deadline = time.monotonic() + 30
    fresh: list[dict[str, object]] = []
    while len(fresh) < 60:
        assert time.monotonic() < deadline, f"only {len(fresh)} series"
        await asyncio.sleep(0.5)
        servers = pudim.call("/api/v2/servers")["items"]
        if servers:
            latest = pudim.call(f"/api/v2/servers/{servers[0]['id']}/latest")
            now = datetime.now(UTC)
            fresh = [
                one for one in latest if (now - datetime.fromisoformat(one["time"])).total_seconds() < 15
            ]
    (server,) = servers
    assert server["state"] == "live"
    drawn = pudim.call(f"/api/v2/series?metric=system.memory.utilization&server={server['id']}&from=-15m")
    assert drawn["unit"] == "1"
    assert 0 < drawn["series"][0]["avg"][-1] < 1


@pytest.fixture(scope="module")
async def page(browser: Browser, pudim: RunningPudim) -> Page:
    """The owner's browser, after the setup link; it fails the test on whatever the console complains of."""
    context = await browser.new_context(viewport=DESK, base_url=pudim.access["url"])
    opened = await context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.complaints = complaints  # type: ignore[attr-defined]
    setup_url = pudim.access["setup_url"]
    await opened.goto(setup_url)
    await picture(opened, "setup")
    await create_owner(opened)
    return opened


async def create_owner(page: Page) -> None:
    """On the page that the setup link leads to."""
    await page.get_by_label("Your name").fill(NAME)
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page).to_have_title("Servers · Pudim")


async def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


async def test_the_link_works_once(page: Page, browser: Browser, pudim: RunningPudim) -> None:
    context = await browser.new_context(base_url=pudim.access["url"])
    other = await context.new_page()
    answer = await other.goto(pudim.access["setup_url"])
    assert answer is not None
    assert answer.status == 404
    await picture(other, "link-used")
    await context.close()


async def test_signing_out_and_in_again(page: Page, browser: Browser, pudim: RunningPudim) -> None:
    context = await browser.new_context(base_url=pudim.access["url"], viewport=DESK)
    other = await context.new_page()
    await other.goto("/servers")
    await expect(other).to_have_url(f"{pudim.access['url']}/sign-in?next=/servers")
    await other.get_by_label("Email").fill(EMAIL)
    await other.get_by_label("Password").fill("wrong")
    await other.get_by_role("button", name="Sign in", exact=True).click()
    await expect(other.get_by_text("The address or the password is wrong")).to_be_visible()
    await picture(other, "sign-in-refused")
    await other.get_by_label("Password").fill(PASSWORD)
    await other.get_by_role("button", name="Sign in", exact=True).click()
    await expect(other.get_by_role("heading", name="Servers", level=1)).to_be_visible()
    await context.close()


async def pixels(page: Page) -> str:
    found: str = await page.locator(CANVAS).first.evaluate("canvas => canvas.toDataURL()")
    return found


async def test_a_chart_moves(page: Page, pudim: RunningPudim) -> None:
    await page.goto("/servers")
    await page.get_by_role("table").get_by_role("link").first.click()
    await expect(page.locator("pudim-chart[data-condition=ready]").first).to_be_visible(timeout=20_000)
    before = await pixels(page)
    await page.wait_for_timeout(4000)
    assert await pixels(page) != before
    # Somebody looks, so the agent samples each second, and within a few seconds that is what is stored.
    (server,) = pudim.call("/api/v2/servers")["items"]
    deadline = time.monotonic() + 20
    while True:
        found = pudim.call(f"/api/v2/series?metric=system.uptime&server={server['id']}&from=-10s&points=60")
        if found["series"] and sum(found["series"][0]["count"]) >= 7:
            break
        assert time.monotonic() < deadline, found
        await page.wait_for_timeout(500)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
@pytest.mark.parametrize("name", ["servers", "server", "add", "tokens"])
async def test_pages_fit_and_look_right(
    page: Page, pudim: RunningPudim, name: str, width: str, theme: str
) -> None:
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    await page.set_viewport_size(DESK if width == "desk" else PHONE)
    (server,) = pudim.call("/api/v2/servers")["items"]
    paths = {
        "servers": "/servers",
        "server": f"/servers/{server['id']}",
        "add": "/servers/add",
        "tokens": "/account/tokens",
    }
    await page.goto(paths[name])
    if name == "add":
        await page.get_by_role("button", name="Make the enrolment line").click()
    if name == "server":
        for chart in await page.locator("pudim-chart").all():  # each draws once it is looked at
            await chart.scroll_into_view_if_needed()
            await expect(chart).to_have_attribute("data-condition", "ready", timeout=20_000)
        await page.evaluate("scrollTo(0, 0)")
    await page.wait_for_timeout(1500)
    await picture(page, f"{name}-{width}-{theme}")
    overflow = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_it_goes_on_with_its_data(page: Page, pudim: RunningPudim) -> None:
    before = pudim.access
    (server,) = pudim.call("/api/v2/servers")["items"]
    assert pudim.stop() == 0
    pudim.start()
    after = pudim.access
    assert after["setup_url"] is None
    assert after["api_token"] == before["api_token"]
    assert [one["id"] for one in pudim.call("/api/v2/servers")["items"]] == [server["id"]]
    await page.goto("/servers")
    await expect(page.get_by_role("heading", name="Servers", level=1)).to_be_visible()
