"""A newcomer with a Prometheus: a token by the page, its lines pasted, and the targets' charts in the browser."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.running import RunningPudim, free_port

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.prometheus]

PICTURES = Path(__file__).parent / "screenshots"
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
CAP = 120


@pytest.fixture(scope="module")
async def page(browser: Browser, pudim: RunningPudim) -> Page:
    """The owner's browser, and what its console complained of."""
    context = await browser.new_context(viewport=DESK, base_url=pudim.access["url"])
    opened = await context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.complaints = complaints  # type: ignore[attr-defined]
    await opened.goto(pudim.access["setup_url"])
    await opened.get_by_label("Your name").fill("Ada")
    await opened.get_by_label("Email").fill("ada@example.org")
    await opened.get_by_label("Password").fill("a long walk by the sea")
    await opened.get_by_role("button", name="Create account").click()
    await expect(opened).to_have_title("Servers · Pudim")
    return opened


async def pictures(page: Page, name: str) -> None:
    """On a desk and on a phone, in light and in dark; none is wider than its screen."""
    PICTURES.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        for width, size in (("desk", DESK), ("phone", PHONE)):
            await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
            await page.set_viewport_size(size)  # type: ignore[arg-type]
            await page.wait_for_timeout(500)
            await page.screenshot(path=PICTURES / f"{name}-{width}-{theme}.png", full_page=True)
            overflow = await page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, (name, width)
    await page.set_viewport_size(DESK)  # type: ignore[arg-type]


async def test_the_page_of_nobody(page: Page) -> None:
    await page.get_by_role("link", name="Senders").click()
    await expect(page.get_by_text("Nobody sends anything yet")).to_be_visible()
    await pictures(page, "senders-none")


@pytest.fixture(scope="module")
async def lines(page: Page) -> str:
    """What the page says to paste into prometheus.yml."""
    await page.goto("/senders")
    await page.get_by_label("Name").fill("prometheus lab")
    await page.get_by_text("Caps", exact=True).click()
    await page.get_by_label("Series in a day").fill(str(CAP))
    await page.get_by_role("button", name="Create token").click()
    await expect(page.get_by_text("Copy it now.")).to_be_visible()
    await pictures(page, "senders-new")
    return str(await page.locator("#snippet-prometheus").inner_text())


@pytest.fixture(scope="module")
async def target(lines: str, pudim: RunningPudim) -> AsyncIterator[str]:
    """A real Prometheus that scrapes itself each second and writes to us; the name of its own target."""
    address, folder = f"127.0.0.1:{free_port()}", pudim.data_dir
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: prometheus\n"
        f"    static_configs: [{{targets: ['{address}']}}]\n{lines}"
    )
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "/usr/bin/prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={address}",
            stdout=log,
            stderr=log,
        )
    yield f"prometheus/{address}"
    process.send_signal(signal.SIGTERM)
    await process.wait()


async def test_its_targets_appear_among_the_servers_with_their_charts(
    page: Page, pudim: RunningPudim, target: str
) -> None:
    deadline = time.monotonic() + 60
    while target not in {one["name"] for one in pudim.call("/api/v2/servers")["items"]}:
        assert time.monotonic() < deadline, (pudim.data_dir / "prometheus.log").read_text()
        await asyncio.sleep(0.5)
    await asyncio.sleep(8)  # some scrapes to draw
    await page.goto("/servers")
    await pictures(page, "servers-outside")
    await page.get_by_role("table").get_by_role("link", name=target).click()
    await expect(page.get_by_role("heading", name=target, level=1)).to_be_visible()
    first = page.locator("details.outside").first
    await first.locator("summary").click()
    await expect(first.locator("pudim-chart")).to_have_attribute("data-condition", "ready", timeout=20_000)
    await pictures(page, "server-outside")
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_the_page_names_what_is_too_much(page: Page, pudim: RunningPudim, target: str) -> None:
    deadline = time.monotonic() + 60
    while not (said := pudim.call("/api/v2/senders")["items"][0])["refused_said"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.5)
    assert "series_cap: 'prometheus lab' may have 120 series; " in said["refused_said"]
    await page.goto("/senders")
    await expect(page.get_by_text(f"of {CAP} series")).to_be_visible()
    await expect(page.get_by_text("may have 120 series")).to_be_visible()
    await pictures(page, "senders")
    assert page.complaints == []  # type: ignore[attr-defined]


async def test_a_revoked_token_is_gone(page: Page, pudim: RunningPudim, target: str) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/senders")
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("Nobody sends anything yet")).to_be_visible()
    assert pudim.call("/api/v2/senders")["items"] == []
    assert page.complaints == []  # type: ignore[attr-defined]
