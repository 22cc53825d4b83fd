"""`pudim audit` reads the log of the database itself."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import sys
from pathlib import Path

import pytest

from pudim_collector.app.features import MIGRATIONS
from pudim_collector.features.audit.rules import INSTALLATION
from pudim_collector.features.senders.events import SenderCreated
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.permissions import Role
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.kernel.ids import new_id
from tests.collector.app.site import assembled
from tests.collector.audit.entries import entries, rows, team
from tests.collector.teams.people import a_member


async def pudim(folder: Path, *words: str, group: str = "audit") -> tuple[int, str, str]:
    program = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("pudim"),
        group,
        *words,
        env={**os.environ, "PUDIM_DATABASE_URL": database.conninfo, "PUDIM_DATA_DIR": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await program.communicate()
    return program.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def told(fresh_database: str, tmp_path: Path) -> Path:
    await migrate(database, MIGRATIONS, clock=SystemClock())
    runtime = assembled(tmp_path, SystemClock())  # type: ignore[arg-type] # any clock does
    await runtime.accounts.ensure_team()
    for name in ("backup", "deploy", "evil\x1b[2J"):
        async with database.transaction():
            runtime.trail.emit(SenderCreated(new_id(), name))
    return tmp_path


async def test_it_prints_finds_and_exports(told: Path) -> None:
    code, out, err = await pudim(told, "tail", "-n", "2")
    assert (code, len(out.splitlines())) == (0, 2), err
    assert "sender.created sender deploy" in out
    assert "\x1b" not in out
    _, out, _ = await pudim(told, "search", "back", "--action", "sender.created")
    assert len(out.splitlines()) == 1
    code, out, _ = await pudim(told, "export")
    assert [json.loads(line)["sequence"] for line in out.splitlines()] == [1, 2, 3]
    (exported,) = await rows("SELECT actor_kind, chain FROM audit_entries WHERE action = 'audit.exported'")
    assert exported["actor_kind"] == "operator"
    assert exported["chain"] != INSTALLATION


async def test_verify_names_the_first_break_and_fails(told: Path) -> None:
    code, out, _ = await pudim(told, "verify")
    assert (code, "3 entries hold" in out) == (0, True)
    await rows("ALTER TABLE audit_entries DISABLE TRIGGER USER")
    await rows("UPDATE audit_entries SET target_name = 'other' WHERE sequence = 2")
    code, _, err = await pudim(told, "verify")
    assert (code, "entry 2 does not" in err) == (3, True)


async def test_what_the_operator_does_is_told_under_his_account(told: Path) -> None:
    """In the installation's log, where operators look; what concerns a person in his teams' too."""
    runtime = assembled(told, SystemClock())  # type: ignore[arg-type] # any clock does
    await runtime.store.prepare(runtime.clock.now())
    ada = await a_member(runtime, await team(), Role.OWNER, "ada")
    code, _, err = await pudim(told, "reset-link", ada.user.email, group="admin")
    assert code == 0, err
    code, _, err = await pudim(told, "backup", str(told / "all.pudim-backup"), "--quiet", group="admin")
    assert code == 0, err
    account = pwd.getpwuid(os.getuid()).pw_name
    (taken,) = await entries("backup.taken")
    assert (taken["actor_kind"], taken["chain"], taken["result"]) == ("operator", INSTALLATION, "done")
    assert taken["actor_name"].startswith(account)
    assert taken["target_name"] == "all.pudim-backup"
    assert json.loads(taken["after"])["tables"] > 30
    assert {row["chain"] for row in await entries("password.link_made")} == {INSTALLATION, await team()}
