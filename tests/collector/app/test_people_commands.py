"""What the operator does for people on the machine, with the real command, beside the log that tells of it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pudim_collector.app.features import MIGRATIONS
from pudim_collector.features.accounts import queries as accounts
from pudim_collector.features.accounts.queries import UserRecord
from pudim_collector.features.factors import queries as factors
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.kernel.ids import new_id

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
async def ada(empty_database: str) -> AsyncIterator[UserRecord]:
    """Somebody in no team, with an app; her name would steer a terminal."""
    await database.open(empty_database)
    await migrate(database, MIGRATIONS, clock=SystemClock())
    user = UserRecord(new_id(), "Ada\x1b[2J", "ada@example.org", "no hash: no password fits")
    await accounts.add_user(user, user.email, NOW)
    totp_id = new_id()
    await factors.replace_pending(totp_id, user.id, b"sealed", NOW)
    await factors.confirm_totp(totp_id, user.id, NOW)
    yield user
    await database.close()


async def command(conninfo: str, folder: Path, *words: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "pudim.cli",
            "admin",
            "people",
            words[0],
            "--data-dir",
            str(folder),
            *words[1:],
        ),
        env=os.environ | {"PUDIM_DATABASE_URL": conninfo},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def entries() -> list[tuple[str, str]]:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT action, actor_kind FROM audit_entries ORDER BY at")
        return [(row[0], row[1]) for row in await cursor.fetchall()]


async def test_somebody_is_made_an_owner_and_loses_factors_and_the_log_tells_it(
    empty_database: str, tmp_path: Path, ada: UserRecord
) -> None:
    code, said = await command(empty_database, tmp_path, "list")
    assert code == 0, said
    assert "ada@example.org" in said
    assert "in no team" in said
    assert "\x1b" not in said
    code, said = await command(empty_database, tmp_path, "make-owner", "ada@example.org")
    assert code == 0, said
    code, said = await command(empty_database, tmp_path, "list")
    assert "owner of Pudim" in said
    assert "no second factor" not in said
    code, said = await command(empty_database, tmp_path, "reset-factors", "--yes", "Ada@Example.org")
    assert code == 0, said
    assert await factors.find_totp(ada.id, confirmed=True) is None
    assert "no second factor" in (await command(empty_database, tmp_path, "list"))[1]
    told = await entries()
    assert ("owner.made", "operator") in told
    assert ("factor.reset", "operator") in told


async def test_who_is_unknown_is_said_and_nothing_is_done(
    empty_database: str, tmp_path: Path, ada: UserRecord
) -> None:
    for words in (("make-owner", "eve@example.org"), ("reset-factors", "--yes", "eve@example.org")):
        code, said = await command(empty_database, tmp_path, *words)
        assert (code, "no account with this address" in said) == (1, True)
    assert await factors.find_totp(ada.id, confirmed=True) is not None
    assert await entries() == []
