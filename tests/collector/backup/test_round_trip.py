"""What was backed up comes back, whole, in emptiness only; and a backup beside running ingest is of one moment."""

import asyncio
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pudim_collector.app.backup import catalogue
from pudim_collector.app.backup.archive import (
    DamagedBackup,
    NewerBackup,
    new_archive,
    open_archive,
    read_whole,
)
from pudim_collector.app.backup.loading import NotEmpty
from pudim_collector.app.backup.operations import back_up, restore
from pudim_collector.app.backup.taking import NothingToBackUp, Snapshot
from pudim_collector.app.keys import collector_key
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import Settings
from pudim_collector.infra.api.idempotency import SEALED_ANSWERS
from pudim_collector.infra.database import database
from pudim_collector.infra.key_ring import KeyRing
from pudim_collector.infra.private_files import KeyFileMissingError, read_private
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.ids import new_id
from pudim_collector.series.raw import Unit, raw_of
from pudim_collector.series.store import Step
from tests.collector.backup.conftest import CALL, SECRET
from tests.collector.backup.frames import SOURCE, made

CHANGES = {"migration", "store", "storage_days", "storage_pieces", "tenancy"}


def said(_: str) -> None:
    """Progress that nobody reads."""


def never() -> None:
    """Nobody ends it."""


TOLD = {"audit_entries", "audit_chains"}
"""That a backup was taken or restored is told after it."""


def contents(conninfo: str) -> dict[str, tuple[int, str | None]]:
    """Each table's number of rows and a digest of them."""
    query = "SELECT count(*), md5(string_agg(one::text, '|' ORDER BY one::text)) FROM {} AS one"
    with psycopg.connect(conninfo) as connection:
        return {
            table.name: connection.execute(sql.SQL(query).format(sql.Identifier(table.name))).fetchone()
            or (0, None)
            for table in catalogue.tables(connection)
        }


def damage(whole: Path, damaged: Path) -> None:
    content = bytearray(whole.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)


@pytest.fixture
async def another_database(postgres: str) -> AsyncIterator[str]:
    """The conninfo of an empty one."""
    name = f"restored_{os.getpid()}"
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as admin:
        await admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        await admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    yield psycopg.conninfo.make_conninfo(postgres, dbname=name)
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as admin:
        await admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def target(another_database: str, tmp_path: Path) -> Settings:
    return Settings(tmp_path / "restored", database_url=another_database)


@pytest.fixture
async def taken(filled: Settings, tmp_path: Path) -> Path:
    path, _ = await back_up(filled, tmp_path / "backup", said)
    return path


async def test_everything_comes_back(filled: Settings, taken: Path, target: Settings) -> None:
    manifest = await restore(target, taken, said)
    before, after = contents(str(filled.database_url)), contents(str(target.database_url))
    assert {name: found for name, found in before.items() if name not in CHANGES | TOLD} == {
        name: found for name, found in after.items() if name not in CHANGES | TOLD
    }
    for name in (
        "frames",
        "minute_blocks",
        "hour_blocks",
        "servers",
        "teams",
        "api_tokens",
        "ledger",
    ):
        assert before[name][0] > 0, f"{name} had nothing to restore"
    assert {one.name: one.rows for one in manifest.tables if one.name not in TOLD} == {
        name: rows for name, (rows, _) in before.items() if name not in TOLD | {"migration"}
    }
    with psycopg.connect(str(target.database_url)) as connection:
        found = connection.execute("SELECT action FROM audit_entries ORDER BY chain, sequence").fetchall()
    assert ("backup.restored",) in found
    assert (target.data_dir / "collector.key").read_bytes() == (
        filled.data_dir / "collector.key"
    ).read_bytes()
    assert stat.S_IMODE((target.data_dir / "collector.key").stat().st_mode) == 0o600


async def test_sealed_secrets_open_in_what_was_restored(taken: Path, target: Settings) -> None:
    told: list[str] = []
    await restore(target, taken, told.append)
    assert "1 secrets, 0 of them do not open." in told
    assert read_private(target.data_dir / "secrets.keys", 10_000)
    with psycopg.connect(str(target.database_url)) as connection:
        (sealed,) = connection.execute("SELECT answer FROM api_answers").fetchone() or (b"",)
    sealers = Sealers(KeyRing(target.data_dir / "secrets.keys"), collector_key(target.data_dir))
    assert sealers.of(SEALED_ANSWERS).open(bytes(sealed), CALL) == SECRET


async def test_a_restore_names_the_secrets_that_do_not_open(
    taken: Path, target: Settings, tmp_path: Path
) -> None:
    """With another ring than theirs; everything else is worth having."""
    elsewhere = KeyRing.made(tmp_path / "another" / "secrets.keys", datetime.now(UTC))
    told: list[str] = []
    await restore(replace(target, secret_keys_file=elsewhere.path), taken, told.append)
    assert f"api_answers.answer of {CALL.hex()} does not open: seal_key_missing" in told
    assert "1 secrets, 1 of them do not open." in told
    assert contents(str(target.database_url))["frames"][0] > 0


async def test_a_ring_that_was_named_and_is_not_there_is_noticed_first(taken: Path, target: Settings) -> None:
    with pytest.raises(KeyFileMissingError):
        await restore(replace(target, secret_keys_file=target.data_dir / "none"), taken, said)
    assert contents(str(target.database_url)) == {}


async def test_what_is_stored_next_gets_new_ids(taken: Path, target: Settings) -> None:
    await restore(target, taken, said)
    with psycopg.connect(str(target.database_url)) as connection:
        (made_id,) = connection.execute(
            "INSERT INTO layouts (hash, metrics, series) VALUES ('x', '{}', '[]') RETURNING layout_id"
        ).fetchone() or (0,)
        assert made_id == 2
        (until,) = connection.execute("SELECT rolled_until FROM store").fetchone() or (None,)
    assert until is not None


async def test_the_same_backup_is_made_of_what_was_restored(
    taken: Path, target: Settings, tmp_path: Path
) -> None:
    first = await restore(target, taken, said)
    _, second = await back_up(target, tmp_path / "again", said)
    before, after = (
        {one.name: (one.rows, one.bytes) for one in manifest.tables if one.name not in TOLD}
        for manifest in (first, second)
    )
    assert before == after


async def test_nothing_is_restored_over_something(filled: Settings, taken: Path, target: Settings) -> None:
    before = contents(str(filled.database_url))
    with pytest.raises(NotEmpty, match="rows in"):
        await restore(filled, taken, said)
    assert contents(str(filled.database_url)) == before
    target.data_dir.mkdir()
    (target.data_dir / "collector.key").write_bytes(b"x" * 32)
    with pytest.raises(NotEmpty, match=r"collector\.key"):
        await restore(target, taken, said)
    assert contents(str(target.database_url)) == {}


async def test_a_damaged_backup_is_refused_before_anything_is_made(
    taken: Path, target: Settings, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    damage(taken, damaged)
    with pytest.raises(DamagedBackup, match=r"tables/|manifest|files/"):
        await restore(target, damaged, said)
    assert contents(str(target.database_url)) == {}
    assert not target.data_dir.exists()


async def test_a_newer_pudims_backup_is_refused(taken: Path, target: Settings, tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    with open_archive(taken, never) as reader, new_archive(newer, never) as archive:
        for table in reader.manifest.tables:
            archive.add(table.member, reader.blocks(table.member, table.sha256), compressed=False)
        for file in reader.manifest.files:
            archive.add(file.member, reader.blocks(file.member, file.sha256), compressed=False)
        manifest = reader.manifest
        manifest.migrations.append(type(manifest.migrations[0])("series", "9999_pre_future.sql"))
        archive.finish(manifest)
    with pytest.raises(NewerBackup, match="9999_pre_future"):
        await restore(target, newer, said)


async def test_an_interrupted_restore_leaves_no_rows(taken: Path, target: Settings) -> None:
    """And the same restore can be done again."""
    loop, running = asyncio.get_running_loop(), asyncio.current_task()
    assert running is not None

    def interrupting(words: str) -> None:
        if words.startswith("layouts:"):
            loop.call_soon_threadsafe(restoring.cancel)

    restoring = asyncio.create_task(restore(target, taken, interrupting))
    with pytest.raises(asyncio.CancelledError):
        await restoring
    left = contents(str(target.database_url))
    assert left
    assert {name for name, (rows, _) in left.items() if rows} <= {
        "migration",
        "store",
        "retention",
        "teams",
        "tenancy",
    }
    await restore(target, taken, said)
    assert contents(str(target.database_url))["frames"][0] > 0


async def test_a_database_without_a_pudim_is_not_backed_up(target: Settings, tmp_path: Path) -> None:
    with pytest.raises(NothingToBackUp):
        await back_up(target, tmp_path / "backup", said)
    assert not (tmp_path / "backup").exists()


async def test_a_folder_gets_a_file_named_by_the_time(filled: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    path, manifest = await back_up(filled, folder, said)
    assert path.parent == folder
    assert path.name == f"pudim-{manifest.taken_at:%Y%m%dT%H%M%SZ}.pudim-backup"


async def command(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pudim.cli", "admin", *map(str, arguments)),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode(), error.decode()


async def test_a_backup_beside_ingest_and_upkeep_is_of_one_moment(
    filled: Settings, runtime: Runtime, target: Settings, tmp_path: Path
) -> None:
    """The ledger says how many frames there are, wherever upkeep has moved them meanwhile."""
    await database.open(str(filled.database_url), max_size=5)
    server = new_id()
    (one,) = await runtime.store.declare(server, [SOURCE])
    boot = await runtime.store.open_boot(server, b"i" * 16)
    start = int(runtime.clock.now().timestamp()) // 3600 * 3600 - 6 * 3600
    copying = asyncio.create_task(
        command(
            "backup",
            tmp_path / "beside",
            "--data-dir",
            filled.data_dir,
            PUDIM_DATABASE_URL=str(filled.database_url),
        )
    )
    seq = 0
    while not copying.done():
        seq += 1
        await runtime.store.commit([made(one, [start + seq])], [Step(boot.ledger_id, seq - 1, seq, 0)], "")
        if seq % 20 == 0:
            await runtime.upkeep.run_once()
            await runtime.upkeep.tidy()
    assert (await copying)[0] == 0
    await database.close()
    await restore(target, tmp_path / "beside", said)
    await database.open(str(target.database_url), max_size=5)
    restored = await runtime.store.open_boot(server, b"i" * 16)
    async with database.connection() as connection:
        units = [Unit(one, hour) for hour in range(start // 3600, start // 3600 + 7)]
        found = await raw_of(connection, units)
    await database.close()
    stored = sorted(time // 1000 - start for raw in found.values() for time in raw.frames().times.tolist())
    assert stored == list(range(1, restored.last_seq + 1))
    assert restored.last_seq <= seq


async def test_what_is_moved_while_a_backup_is_written_is_in_it(
    filled: Settings, runtime: Runtime, tmp_path: Path
) -> None:
    """Rows become blocks that the snapshot does not show, and the space that they leave is emptied at once."""
    await database.open(str(filled.database_url), max_size=5)
    (one,) = await runtime.store.declare(new_id(), [SOURCE])
    start = int(runtime.clock.now().timestamp()) - 30 * 3600
    await runtime.store.commit([made(one, list(range(start, start + 500)))], [], "")
    with psycopg.connect(str(filled.database_url)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM frames").fetchone() or (0,)
    with closing(await asyncio.to_thread(Snapshot, str(filled.database_url))) as snapshot:
        await runtime.upkeep.run_once()
        await runtime.upkeep.tidy()
        manifest = await asyncio.to_thread(
            lambda: snapshot.write(
                tmp_path / "moved", tmp_path, [], runtime.clock.now(), report=said, stopped=never
            )
        )
    await database.close()
    assert {table.name: table.rows for table in manifest.tables}["frames"] == rows


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not in pytest's own folder, which another run as root closes to the account that the database runs under."""
    made_here = Path(tempfile.mkdtemp(prefix="pudim-test-"))
    yield made_here
    shutil.rmtree(made_here)


@pytest.mark.processes
async def test_an_embedded_database_is_made_of_a_backup(filled: Settings, taken: Path, folder: Path) -> None:
    data_dir = folder / "data"
    status, out, error = await command("restore", taken, "--data-dir", data_dir)
    assert status == 0, error
    assert "Restored" in out
    assert "frames:" in error
    assert sorted(one.name for one in data_dir.iterdir()) == [
        "collector.key",
        "command.key",
        "postgres",
        "release.key",
        "secrets.keys",
    ]
    assert "1 secrets, 0 of them do not open" in error
    assert not stat.S_IMODE(data_dir.stat().st_mode) & 0o066

    status, out, error = await command("storage", "--json", "--data-dir", data_dir)
    assert status == 0, error
    assert json.loads(out)["tiers"][0]["samples"] == 2 * (144 + 60)
    status, out, _ = await command("storage", "--data-dir", data_dir)
    assert "Raw frames" in out

    status, out, error = await command("verify", "--data-dir", data_dir)
    assert (status, out) == (0, ""), error
    assert "204 frames: 0 differences" in error

    status, out, error = await command("backup", folder, "--data-dir", data_dir)
    assert status == 0, error
    again = read_whole(Path(out.strip()), never)
    rows = {one.name: one.rows for one in again.tables}
    assert rows["frames"] + rows["frame_blocks"] > 60

    status, out, error = await command("restore", taken, "--data-dir", data_dir)
    assert status == 1
    assert "has a database" in error
    status, out, _ = await command("restore", "--check", taken)
    assert (status, out.startswith("Whole: ")) == (0, True)


async def test_verify_tells_what_differs_and_repairs_it(filled: Settings, runtime: Runtime) -> None:
    url = str(filled.database_url)
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM minute_blocks WHERE start = (SELECT min(start) FROM minute_blocks)")
    arguments = ("verify", "--data-dir", filled.data_dir, "--quiet")
    status, out, _ = await command(*arguments, PUDIM_DATABASE_URL=url)
    assert status == 1
    assert "web <1> host: minutes are missing" in out
    assert (await command(*arguments, "--days", "1", PUDIM_DATABASE_URL=url))[:2] == (0, "")
    assert (await command(*arguments, "--repair", PUDIM_DATABASE_URL=url))[0] == 1
    await database.open(url, max_size=5)
    await runtime.upkeep.run_once()
    await database.close()
    assert (await command(*arguments, PUDIM_DATABASE_URL=url))[:2] == (0, "")
