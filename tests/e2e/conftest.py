"""Pudim as it is started by a newcomer, and a real browser."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.running import RunningPudim

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def pudim() -> Iterator[RunningPudim]:
    # Not in pytest's own folder, which another run as root closes to the account that the database runs under.
    with (
        tempfile.TemporaryDirectory(prefix="pudim-test-") as folder,
        RunningPudim(Path(folder) / "data") as running,
    ):
        yield running


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        await chromium.close()
