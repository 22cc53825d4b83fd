"""What the collector starts beside itself sees none of its secrets: neither in an argument nor in the environment."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from pudim_collector.app.local_agent import LocalAgent
from pudim_collector.app.settings import Settings, childrens_environment, read_settings
from pudim_collector.infra.supervised import Supervisor
from pudim_collector.kernel.clock import SystemClock
from tests.collector.app.site import Site

HIDDEN = "hidden-in-the-test"


def test_no_setting_of_ours_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PUDIM_DATABASE_URL", "PUDIM_ANYTHING", "PGPASSWORD", "CREDENTIALS_DIRECTORY"):
        monkeypatch.setenv(name, HIDDEN)
    assert HIDDEN not in childrens_environment().values()
    assert childrens_environment()["PATH"] == os.environ["PATH"]


def test_settings_do_not_show_what_they_hide() -> None:
    settings = read_settings(
        {
            "PUDIM_DATABASE_URL": f"postgresql://pudim:{HIDDEN}@db/pudim",
            "PUDIM_DATABASE_REPLICA_URL": f"postgresql://pudim:{HIDDEN}@db/pudim",
            "PUDIM_REDIS_URL": f"redis://:{HIDDEN}@cache/0",
        }
    )
    assert HIDDEN in f"{settings.database_url}"
    assert HIDDEN not in f"{settings!r} {settings}"


async def test_the_agent_on_this_host_gets_no_secret_that_others_can_list(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUDIM_DATABASE_URL", HIDDEN)
    object.__setattr__(site.runtime, "settings", Settings(site.runtime.settings.data_dir, port=site.port))
    seen: list[str] = []

    async def look() -> None:
        """At each child that there is, while it is enrolled and while it runs."""
        while True:
            for child in psutil.Process().children(recursive=True):
                try:
                    if "pudim.cli" in child.cmdline():
                        seen.append(" ".join([*child.cmdline(), *child.environ().values()]))
                except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                    continue
            await asyncio.sleep(0.01)

    async with Supervisor(SystemClock()) as supervisor:
        supervisor.start("look", look)
        supervisor.start("agent", LocalAgent(site.runtime, tmp_path / "agent").run)
        async with asyncio.timeout(60):
            while not any(" run " in one for one in seen):
                await asyncio.sleep(0.05)
    assert any(" enrol " in one for one in seen)
    assert not any(HIDDEN in one for one in seen)
    assert not any("--token " in one for one in seen)
