"""What the agent says of this host, on its page in a real browser: told, renewed while one looks, sorted, and by phone."""

from __future__ import annotations

import os

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.test_first_visit import DESK, PHONE, create_owner, picture
from tests.running import RunningPudim

pytestmark = [pytest.mark.browser, pytest.mark.processes]
SOON = 45_000


@pytest.fixture(scope="module")
async def page(browser: Browser, pudim: RunningPudim) -> Page:
    """The owner's browser on the page of this host."""
    context = await browser.new_context(viewport=DESK, base_url=pudim.access["url"])
    opened = await context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.complaints = complaints  # type: ignore[attr-defined]
    await opened.goto(pudim.access["setup_url"])
    await create_owner(opened)
    return opened


async def test_the_host_says_what_it_is_and_what_runs_on_it(page: Page, pudim: RunningPudim) -> None:
    await expect(page.locator("tr[data-server]")).to_have_count(1, timeout=SOON)
    (server,) = pudim.call("/api/v2/servers")["items"]
    await page.goto(f"/servers/{server['id']}")
    facts = page.locator("#facts")
    await expect(facts).to_contain_text(os.uname().release, timeout=SOON)
    processes = page.locator("#processes")
    await expect(processes.locator("tbody tr").first).to_be_visible(timeout=SOON)
    told = pudim.call(f"/api/v2/servers/{server['id']}/processes")
    assert told["old"] is False
    assert {one["name"] for one in told["document"]["memory"]}


async def test_what_is_looked_at_is_renewed(page: Page) -> None:
    processes = page.locator("#processes")
    before = await processes.get_attribute("data-received")
    assert before is not None
    await processes.get_by_role("button", name="Memory").click()
    await expect(processes).not_to_have_attribute("data-received", before, timeout=SOON)
    await expect(processes.locator("th[aria-sort=descending]")).to_have_text("Memory")
    sizes = [
        float(await cell.get_attribute("data-value") or -1)
        for cell in await processes.locator('td[data-label="Memory"]').all()
    ]
    assert sizes == sorted(sizes, reverse=True)


async def test_what_this_host_has_not_is_said(page: Page) -> None:
    for part in ("containers", "units", "disks", "custom"):
        body = page.locator(f"#{part} [data-part-body]")
        if not await body.locator("tbody tr").count():
            assert (await body.inner_text()).startswith(
                ("Not available", "None", "There are none", "Not known")
            )


async def test_checks_and_commands_are_shown_in_place(page: Page) -> None:
    for part in ("checks", "commands"):
        await page.locator(f"#{part}").scroll_into_view_if_needed()
        await expect(page.locator(f"#{part} .card").first).not_to_have_text(f"{part.title()} of this server")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
async def test_it_fits(page: Page, width: str, theme: str) -> None:
    await page.set_viewport_size(DESK if width == "desk" else PHONE)
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    await page.evaluate("scrollTo(0, 0)")
    await picture(page, f"host-{width}-{theme}")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await page.evaluate(overflow) <= 0


def test_the_browser_complained_of_nothing(page: Page) -> None:
    assert page.complaints == []  # type: ignore[attr-defined]
