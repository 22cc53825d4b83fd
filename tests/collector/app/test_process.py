"""A collector process that is told to end while it starts leaves nothing behind."""

import asyncio
from pathlib import Path

import psutil
import pytest

from pudim_collector.app.process import open_database
from pudim_collector.app.settings import Settings
from pudim_collector.infra.database import database


async def opened(settings: Settings) -> None:
    async with open_database(settings):
        await asyncio.sleep(60)


def left_of(folder: Path) -> list[list[str]]:
    commands = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    return [command for command in commands if any(str(folder) in word for word in command)]


@pytest.mark.processes
async def test_a_start_that_is_cancelled_leaves_no_database_running(tmp_path: Path) -> None:
    starting = asyncio.ensure_future(opened(Settings(tmp_path)))
    async with asyncio.timeout(30):
        while not left_of(tmp_path):
            await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert left_of(tmp_path) == []
    assert not database.is_open
