"""The storage page in a browser: new and filled, wide, narrow and dark, by keyboard, and limits that lose something."""

import subprocess
import sys

import psycopg
import pytest
from playwright.async_api import Browser, Page, expect

from pudim_collector.infra.database.embedded import EmbeddedPostgres
from tests.e2e.test_first_visit import DESK, PHONE, create_owner, picture
from tests.running import RunningPudim

pytestmark = [pytest.mark.browser, pytest.mark.processes]

EARLIER = """
INSERT INTO storage_days (day, raw, minute, hour, database)
SELECT current_date - ago, sizes.raw * (30 - ago) / 30, sizes.minute * (30 - ago) / 30, sizes.hour * (30 - ago) / 30, sizes.database
FROM generate_series(1, 25) AS ago, (SELECT * FROM storage_days ORDER BY day DESC LIMIT 1) AS sizes
ON CONFLICT DO NOTHING
"""


@pytest.fixture(scope="module")
async def page(browser: Browser, pudim: RunningPudim) -> Page:
    """The owner's; it fails the test on whatever the console complains of."""
    context = await browser.new_context(viewport=DESK, base_url=pudim.access["url"])
    opened = await context.new_page()
    opened.complaints = []  # type: ignore[attr-defined]
    opened.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)  # type: ignore[attr-defined]
    await opened.goto(pudim.access["setup_url"])
    await create_owner(opened)
    return opened


def complaints(page: Page) -> list[str]:
    found: list[str] = page.complaints  # type: ignore[attr-defined]
    return found


async def test_a_new_installation(page: Page) -> None:
    await page.get_by_role("link", name="Storage").click()
    await expect(page).to_have_title("Storage · Pudim")
    await expect(page.get_by_label("Days").first).to_have_value("7")
    await picture(page, "storage-new")
    assert complaints(page) == []


@pytest.fixture(scope="module")
def filled(pudim: RunningPudim) -> None:
    """Twelve days of two simulated servers, counted; and days before today as if it had been measured then."""
    admin = [sys.executable, "-m", "pudim.cli", "admin"]
    folder = ["--data-dir", str(pudim.data_dir)]
    subprocess.run([*admin, "demo-data", *folder, "--servers", "2", "--days", "12"], check=True, timeout=600)
    subprocess.run([*admin, "storage", *folder], check=True, timeout=120)
    conninfo = EmbeddedPostgres(pudim.data_dir / "postgres").running_conninfo()
    assert conninfo is not None
    with psycopg.connect(conninfo) as connection:
        connection.execute(EARLIER)


async def test_what_is_held_and_where_it_leads(page: Page, filled: None) -> None:
    await page.goto("/storage")
    for tier in ("Raw frames", "Minutes", "Hours"):
        await expect(page.get_by_role("heading", name=tier)).to_be_visible()
    await expect(page.locator(".growth-chart rect").first).to_be_attached()
    await picture(page, "storage")
    await page.emulate_media(color_scheme="dark")
    await page.reload()
    await picture(page, "storage-dark")
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(PHONE)
    await page.reload()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await picture(page, "storage-phone")
    await page.set_viewport_size(DESK)
    assert complaints(page) == []


async def test_limits_are_changed_by_keyboard_and_the_loss_is_shown_first(
    page: Page, filled: None, pudim: RunningPudim
) -> None:
    await page.goto("/storage")
    days = page.get_by_label("Days").first
    await days.focus()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("3")
    await page.keyboard.press("Tab")
    await page.keyboard.type("20 GiB")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("This drops, for good:")).to_be_visible()
    await expect(page.get_by_role("listitem").filter(has_text="Raw frames: ")).to_be_visible()
    assert limit_of(pudim) == {"days": 7, "bytes": None}
    await picture(page, "storage-loss")
    await page.get_by_role("button", name="Drop and save").press("Enter")
    await expect(page.get_by_text("Saved.")).to_be_visible()
    assert limit_of(pudim) == {"days": 3, "bytes": 20 << 30}
    assert complaints(page) == []


async def test_a_wrong_limit_is_told_beside_its_field(page: Page, pudim: RunningPudim) -> None:
    await page.goto("/storage")
    await page.get_by_label("At most", exact=True).first.fill("plenty")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Write a size such as 20 GiB")).to_be_visible()
    await expect(page.get_by_label("At most", exact=True).first).to_be_focused()
    await picture(page, "storage-wrong")


def limit_of(pudim: RunningPudim) -> object:
    return pudim.call("/api/v2/storage")["tiers"][0]["limit"]
