"""The collector goes over to another key while its agents look on, and nobody has to enrol again."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pudim.wire.keys import private_bytes, public_bytes, to_text
from pudim.wire.messages import Notice, Successor
from pudim_collector.app import keys_report
from pudim_collector.app.key_commands import rotate_collector_key
from pudim_collector.app.key_rotation import (
    AgentsWord,
    NotConfirmedError,
    SealedUnderThisKeyError,
    check_ready,
    judged,
    make_successor,
    measured,
    said,
)
from pudim_collector.app.key_succession import COLLECTOR, NoSuccessorError, succession_of
from pudim_collector.app.keys import FILE_NAME
from pudim_collector.app.settings import Settings
from pudim_collector.infra.database import database
from pudim_collector.infra.private_files import replace_private
from tests.collector.app.site import COLLECTOR_KEY, Site
from tests.collector.infra.test_sealing import sealed_first
from tests.running import RunningPudim

NOW = datetime(2026, 5, 4, tzinfo=UTC)
MONTH = timedelta(days=30)


@pytest.fixture
def kept(site: Site) -> Path:
    """The site's data folder, in which its key is a file."""
    replace_private(site.runtime.settings.data_dir / FILE_NAME, private_bytes(COLLECTOR_KEY))
    return site.runtime.settings.data_dir


async def told(site: Site, name: str, document: dict[str, Any] | None) -> None:
    """A server whose agent connected once, and said this of the keys."""
    agent = await site.enrol(name)
    async with agent:
        if document is not None:
            await agent.say(Notice("collector_key", 1, document).encode())
        while site.runtime.notices.waiting or not await said_of(agent.agent_id, document):
            await asyncio.sleep(0.02)


async def said_of(server_id: object, document: dict[str, Any] | None) -> bool:
    if document is None:
        return True
    async with database.connection() as connection:
        found = await connection.execute(
            "SELECT 1 FROM notices WHERE server_id = $1 AND kind = 'collector_key'", [server_id]
        )
        return await found.fetchone() is not None


async def test_an_agent_hears_of_the_successor_on_its_session_and_on_the_next(site: Site, kept: Path) -> None:
    agent = await site.enrol()
    async with agent:
        wanted = make_successor(site.runtime.settings, again=False)
        while not isinstance(heard := await agent.heard(), Successor):
            pass
    waiting = succession_of(kept, COLLECTOR, public_bytes(COLLECTOR_KEY)).waiting
    assert waiting == heard.link
    assert to_text(public_bytes(COLLECTOR_KEY)) != wanted
    async with agent:
        while not isinstance(again := await agent.heard(), Successor):
            pass
    assert again == heard


async def test_the_collector_waits_for_those_that_were_heard_of_lately(site: Site, kept: Path) -> None:
    settings, key = site.runtime.settings, to_text(public_bytes(COLLECTOR_KEY))
    with pytest.raises(NoSuccessorError):
        await check_ready(settings, MONTH, force=True)
    after = make_successor(settings, again=False)
    await told(site, "ready", {"key": key, "epoch": 0, "successor": after})
    await told(site, "over", {"key": after, "epoch": 1, "successor": None})
    await told(site, "behind", {"key": key, "epoch": 0, "successor": None})
    await told(site, "wary", {"key": key, "refused": "succession_too_early"})
    await told(site, "old", None)
    found = await measured(settings)
    assert (found.servers, found.confirmed, found.missing) == (5, 2, ["behind", "old", "wary"])
    assert found.refused == {"succession_too_early": 1}
    with pytest.raises(NotConfirmedError, match="3 of 5 servers do not have the new key: behind, old, wary"):
        await check_ready(settings, MONTH, force=False)
    await check_ready(settings, MONTH, force=True)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE servers SET opened_at = opened_at - interval '31 days',"
            " enrolled_at = enrolled_at - interval '31 days' WHERE name IN ('behind', 'old')"
        )
        await connection.execute("UPDATE servers SET revoked_at = now() WHERE name = 'wary'")
    await check_ready(settings, MONTH, force=False)
    with pytest.raises(NotConfirmedError, match="behind, old"):
        await check_ready(settings, timedelta(days=60), force=False)


async def test_secrets_that_hang_on_the_key_hold_it_back(site: Site, kept: Path) -> None:
    """They could not be opened any more: not even --force goes over that."""
    make_successor(site.runtime.settings, again=False)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO api_answers (call, asker, body_hash, made_at, answer)"
            " VALUES ($1, gen_random_uuid(), ''::bytea, now(), $2)",
            [b"call", sealed_first(b"secret", b"call")],
        )
    with pytest.raises(SealedUnderThisKeyError):
        await check_ready(site.runtime.settings, MONTH, force=True)
    async with database.connection() as connection:
        await connection.execute("DELETE FROM api_answers")
    await check_ready(site.runtime.settings, MONTH, force=True)


def test_what_is_told_names_at_most_ten() -> None:
    agents = [AgentsWord(f"web-{number:02}", NOW, None, None, None) for number in range(13)]
    found = judged([*agents, AgentsWord("x", NOW, "a", "b", None)], "a", "b")
    assert (found.servers, found.confirmed) == (14, 1)
    text = said(found)
    assert "1 of 14 servers that were heard of lately have its successor." in text
    assert "web-09 and 3 more" in text
    assert "web-10" not in text


def test_keys_lists_what_waits_and_never_a_secret(tmp_path: Path) -> None:
    settings = Settings(tmp_path)
    after = make_successor(settings, again=False)
    found = {Path(one.file).name: one for one in keys_report.found(settings)}
    assert found[COLLECTOR.next_file].fingerprint == after
    assert found[COLLECTOR.next_file].use == "agents are told of it"
    assert (tmp_path / COLLECTOR.next_file).read_bytes().hex() not in keys_report.said(list(found.values()))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def admin(pudim: RunningPudim, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pudim.cli", "admin", *words, "--data-dir", str(pudim.data_dir)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def outlook(pudim: RunningPudim) -> dict[str, Any]:
    done = admin(pudim, "rotate-collector-key", "--status", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def agents_word(pudim: RunningPudim) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pudim.cli",
            "agent",
            "status",
            "--json",
            "--state-dir",
            pudim.data_dir / "agent",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "words", [["--force"], ["--finish", "--again"], ["--status", "--finish"], ["--days", "0"]]
)
def test_what_does_not_go_together_is_a_slip_and_changes_nothing(tmp_path: Path, words: list[str]) -> None:
    done = CliRunner().invoke(rotate_collector_key, [*words, "--data-dir", str(tmp_path)])
    assert done.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.processes
def test_an_operator_replaces_the_key_of_a_running_pudim(tmp_path: Path) -> None:
    """With the agent of this machine; once in peace, and once while the agent was away."""
    with RunningPudim(tmp_path / "pudim") as pudim:
        until(lambda: outlook(pudim)["confirmed"] == 1)
        before = outlook(pudim)["key"]
        assert admin(pudim, "rotate-collector-key", "--finish").returncode == 1
        made = admin(pudim, "rotate-collector-key")
        assert "successor" in made.stdout, made.stderr
        assert admin(pudim, "rotate-collector-key").returncode == 1, "one waits already"
        until(lambda: outlook(pudim)["confirmed"] == 1)
        after = outlook(pudim)["successor"]
        assert agents_word(pudim)["collector_key_successor"] == after
        done = admin(pudim, "rotate-collector-key", "--finish")
        assert (done.returncode, done.stdout.strip()) == (0, after), done.stderr
        assert agents_word(pudim)["collector_key"] == before, "until Pudim is started again"
        pudim.stop()
        pudim.start()
        until(lambda: agents_word(pudim)["collector_key"] == after)
        until(lambda: outlook(pudim)["confirmed"] == 1)
        invited = pudim.call("/api/v2/enrolment-tokens", {"name": "another"})
        assert invited["collector_key"] == after, "who enrols now pins this one"
        assert f"--collector-key {after}" in invited["command"]
        assert outlook(pudim) == {
            "key": after,
            "successor": None,
            "servers": 1,
            "confirmed": 1,
            "missing": [],
            "refused": {},
        }
        pudim.stop()
        admin(pudim, "rotate-collector-key")
        held_back = admin(pudim, "rotate-collector-key", "--finish")
        assert (held_back.returncode, "do not have the new key" in held_back.stderr) == (1, True)
        assert admin(pudim, "rotate-collector-key", "--finish", "--force").returncode == 0
        pudim.start()
        until(lambda: agents_word(pudim)["collector_key_changes"] == 2)
        until(lambda: outlook(pudim)["confirmed"] == 1)
        assert len(pudim.call("/api/v2/servers")["items"]) == 1, "nobody enrolled again"
