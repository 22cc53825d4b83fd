"""All secrets at rest at once: counted, opened and sealed anew, beside writers and after interruptions, and no key retired too soon."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from pudim_collector.app import sealed
from pudim_collector.app.features import MIGRATIONS, SEALED
from pudim_collector.app.keys import collector_key, command_key
from pudim_collector.app.sealed import (
    FIRST_KEY,
    NO_KEY,
    SETTLE,
    Fault,
    KeyInUseError,
    KeyTooFreshError,
)
from pudim_collector.infra.database import database
from pudim_collector.infra.database.migrations import migrate
from pudim_collector.infra.key_ring import RING_FILE, ActiveKeyError, KeyRing, NoSuchKeyError
from pudim_collector.infra.sealing import SealedColumn, Sealer, Sealers, owner_bytes
from pudim_collector.kernel.clock import SystemClock
from tests.collector.infra.test_sealing import KEY, sealed_first

NOW = datetime(2026, 5, 4, tzinfo=UTC)
TOKENS = SealedColumn("tokens", "secret", owner="name", purpose="tokens")
SEEDS = SealedColumn("seeds", "seed", owner="id", purpose="seeds")
NOT_MADE = SealedColumn("not_made", "seed", owner="id", purpose="seeds")
COLUMNS = [TOKENS, SEEDS, NOT_MADE]
TABLES = """
CREATE TABLE tokens (name text PRIMARY KEY, secret bytea);
CREATE TABLE seeds (id uuid PRIMARY KEY, seed bytea NOT NULL);
"""
UNIQUE = """
SELECT format_type(sealed.atttypid, NULL), EXISTS (
    SELECT FROM pg_index WHERE indrelid = owner.attrelid AND indisunique AND indnkeyatts = 1 AND indkey[0] = owner.attnum
), format_type(owner.atttypid, NULL)
FROM pg_attribute AS sealed, pg_attribute AS owner
WHERE sealed.attrelid = %(table)s::regclass AND sealed.attname = %(column)s
AND owner.attrelid = sealed.attrelid AND owner.attname = %(owner)s
"""


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing.made(tmp_path / RING_FILE, NOW)


@pytest.fixture
def sealers(ring: KeyRing) -> Sealers:
    return Sealers(ring, KEY)


@pytest.fixture
def rows(fresh_database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute(TABLES)
        yield connection


def put(rows: psycopg.Connection[Any], sealer: Sealer, *names: str) -> None:
    for name in names:
        value = sealer.seal(secret(name), owner_bytes(name))
        rows.execute("INSERT INTO tokens VALUES (%s, %s)", [name, value])


def secret(name: str) -> bytes:
    return f"secret of {name}".encode()


def names(number: int) -> list[str]:
    return [f"token-{one:04}" for one in range(number)]


def value(rows: psycopg.Connection[Any], name: str) -> bytes:
    (found,) = rows.execute("SELECT secret FROM tokens WHERE name = %s", [name]).fetchone() or (b"",)
    return bytes(found)


def ignored() -> None:
    """Nobody counts."""


async def test_everything_is_counted_by_key(
    rows: psycopg.Connection[Any], ring: KeyRing, sealers: Sealers
) -> None:
    first = ring.active
    put(rows, sealers.of(TOKENS), "a", "b")
    second = ring.rotate(NOW)
    put(rows, sealers.of(TOKENS), "c")
    rows.execute("INSERT INTO tokens VALUES ('none', NULL), ('empty', ''), ('odd', '\\x09ff')")
    for one in range(3):
        owner = UUID(int=one)
        rows.execute("INSERT INTO seeds VALUES (%s, %s)", [owner, sealed_first(b"x", owner.bytes, b"seeds")])
    found = await sealed.census(COLUMNS)
    assert found == {
        TOKENS: {first.name: 2, second.name: 1, NO_KEY: 2},
        SEEDS: {FIRST_KEY: 3},
        NOT_MADE: {},
    }
    assert sealed.unreadable(found, ring) == 2


async def test_a_start_without_the_keys_says_what_does_not_open(
    rows: psycopg.Connection[Any],
    ring: KeyRing,
    sealers: Sealers,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    put(rows, sealers.of(TOKENS), "a", "b")
    await sealed.tell_of_lost_keys(COLUMNS, ring)
    assert not caplog.records
    await sealed.tell_of_lost_keys(COLUMNS, KeyRing.made(tmp_path / "another" / RING_FILE, NOW))
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "2 secrets in the database cannot be opened" in caplog.text


async def test_all_is_sealed_anew_once_and_opens(
    rows: psycopg.Connection[Any], ring: KeyRing, sealers: Sealers
) -> None:
    """More than a page of it, of both versions, with a uuid or a text as its owner."""
    sealer = sealers.of(TOKENS)
    put(rows, sealer, *names(450))
    owner = UUID(int=7)
    rows.execute("INSERT INTO seeds VALUES (%s, %s)", [owner, sealed_first(b"seed", owner.bytes, b"seeds")])
    active = ring.rotate(NOW)
    put(rows, sealer, "under the active key")
    before = value(rows, "under the active key")
    seen: list[None] = []
    outcome = await sealed.reencrypt(COLUMNS, sealers, lambda: seen.append(None))
    assert (outcome.values, outcome.rewritten, outcome.changed, outcome.faults) == (452, 451, 0, [])
    assert len(seen) == 452
    assert await sealed.census(COLUMNS) == {TOKENS: {active.name: 451}, SEEDS: {active.name: 1}, NOT_MADE: {}}
    assert all(sealer.open(value(rows, name), name.encode()) == secret(name) for name in names(450))
    assert value(rows, "under the active key") == before
    again = await sealed.reencrypt(COLUMNS, sealers, ignored)
    assert (again.values, again.rewritten) == (452, 0)


async def test_what_does_not_open_is_named_and_left_and_the_rest_is_done(
    rows: psycopg.Connection[Any], ring: KeyRing, sealers: Sealers
) -> None:
    put(rows, sealers.of(TOKENS), "a", "b", "c", "d")
    rows.execute("UPDATE tokens SET secret = secret || '\\x00' WHERE name = 'a'")
    rows.execute("UPDATE tokens SET secret = (SELECT secret FROM tokens WHERE name = 'd') WHERE name = 'b'")
    rows.execute(
        "UPDATE tokens SET secret = '\\x02ffffffff'::bytea || substring(secret FROM 6) WHERE name = 'c'"
    )
    ring.rotate(NOW)
    kept = value(rows, "a")
    faults = [
        Fault(TOKENS, "a", "seal_broken"),
        Fault(TOKENS, "b", "seal_broken"),
        Fault(TOKENS, "c", "seal_key_missing"),
    ]
    assert (await sealed.verify(COLUMNS, sealers, ignored)).faults == faults
    outcome = await sealed.reencrypt(COLUMNS, sealers, ignored)
    assert (outcome.rewritten, outcome.faults) == (1, faults)
    assert value(rows, "a") == kept


async def test_a_value_that_somebody_sets_meanwhile_stays(
    rows: psycopg.Connection[Any], ring: KeyRing, sealers: Sealers
) -> None:
    """It was read with its page, and is set or taken away before its turn comes."""
    sealer = sealers.of(TOKENS)
    put(rows, sealer, "a", "b", "c")
    ring.rotate(NOW)
    fresh = sealer.seal(b"the new secret", b"b")

    def meanwhile() -> None:
        rows.execute("UPDATE tokens SET secret = %s WHERE name = 'b'", [fresh])
        rows.execute("DELETE FROM tokens WHERE name = 'c'")

    outcome = await sealed.reencrypt(COLUMNS, sealers, meanwhile)
    assert (outcome.rewritten, outcome.changed, outcome.faults) == (1, 2, [])
    assert sealer.open(value(rows, "b"), b"b") == b"the new secret"


async def test_beside_a_busy_writer_nothing_is_lost(
    rows: psycopg.Connection[Any], ring: KeyRing, sealers: Sealers
) -> None:
    sealer, every = sealers.of(TOKENS), names(60)
    put(rows, sealer, *every)
    ring.rotate(NOW)
    newest: dict[str, bytes] = {}

    async def write() -> None:
        for turn in range(3):
            for name in every:
                newest[name] = f"{turn} of {name}".encode()
                async with database.connection() as connection:
                    await connection.execute(
                        "UPDATE tokens SET secret = $1 WHERE name = $2",
                        [sealer.seal(newest[name], name.encode()), name],
                    )

    _, *outcomes = await asyncio.gather(
        write(), *(sealed.reencrypt(COLUMNS, sealers, ignored) for _ in range(2))
    )
    assert not any(outcome.faults for outcome in outcomes)
    assert {name: sealer.open(value(rows, name), name.encode()) for name in every} == newest
    assert sealed.unreadable(await sealed.census(COLUMNS), ring) == 0
    assert list((await sealed.census([TOKENS]))[TOKENS]) == [ring.active.name]


async def test_what_was_interrupted_goes_on_where_it_was(
    rows: psycopg.Connection[Any], ring: KeyRing, sealers: Sealers
) -> None:
    put(rows, sealers.of(TOKENS), *names(30))
    ring.rotate(NOW)
    turns = iter(range(10))

    def interrupt() -> None:
        next(turns)

    with pytest.raises((StopIteration, RuntimeError)):
        await sealed.reencrypt(COLUMNS, sealers, interrupt)
    outcome = await sealed.reencrypt(COLUMNS, sealers, ignored)
    assert (outcome.values, outcome.rewritten) == (30, 19)


async def test_a_key_is_retired_when_nothing_needs_it(
    rows: psycopg.Connection[Any], ring: KeyRing, sealers: Sealers
) -> None:
    put(rows, sealers.of(TOKENS), "a")
    first = ring.active
    later = NOW + timedelta(days=1)
    for name, error in (("nosuch", NoSuchKeyError), (first.name, ActiveKeyError)):
        if error is ActiveKeyError:
            rows.execute("UPDATE tokens SET secret = NULL")
        with pytest.raises(error):
            await sealed.retire(ring, name, COLUMNS, later)
    put(rows, sealers.of(TOKENS), "b")
    ring.rotate(later)
    settled = later + SETTLE
    with pytest.raises(KeyTooFreshError):
        await sealed.retire(ring, first.name, COLUMNS, settled - timedelta(seconds=1))
    with pytest.raises(KeyInUseError, match=r"1 of tokens\.secret"):
        await sealed.retire(ring, first.name, COLUMNS, settled)
    await sealed.reencrypt(COLUMNS, sealers, ignored)
    await sealed.retire(ring, first.name, COLUMNS, settled)
    assert [key.name for key in KeyRing(ring.path).keys] == [ring.active.name]
    assert not (await sealed.verify(COLUMNS, sealers, ignored)).faults


async def test_every_registered_column_is_there_with_an_owner_of_its_own(fresh_database: str) -> None:
    await migrate(database, MIGRATIONS, clock=SystemClock())
    assert SEALED
    with psycopg.connect(fresh_database) as connection:
        for column in SEALED:
            found = connection.execute(UNIQUE, vars(column)).fetchone()
            assert found is not None, f"{column} or its owner {column.owner} is not there"
            assert found[:2] == ("bytea", True), f"{column} must be bytea, its owner unique"
            assert found[2] in {"uuid", "text", "bytea"} or found[2].startswith("character varying")
    assert len({(one.table, one.column) for one in SEALED}) == len(SEALED)


async def admin(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pudim.cli", "admin", *map(str, arguments)),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode or 0, out.decode(), error.decode()


async def test_the_command_rotates_and_seals_anew_and_names_what_does_not_open(
    fresh_database: str, tmp_path: Path
) -> None:
    await migrate(database, MIGRATIONS, clock=SystemClock())
    where = ("--data-dir", tmp_path)
    ring = KeyRing.made(tmp_path / RING_FILE, NOW)
    (column,) = [one for one in SEALED if one.table == "api_answers"]
    sealer = Sealers(ring, collector_key(tmp_path)).of(column)
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        for call in (b"one", b"two"):
            connection.execute(
                "INSERT INTO api_answers (call, asker, body_hash, made_at, answer) VALUES (%s, %s, '', now(), %s)",
                [call, UUID(int=1), sealer.seal(b"hidden", call)],
            )

        async def run(*arguments: str | Path) -> tuple[int, str, str]:
            return await admin("secrets", *arguments, *where, PUDIM_DATABASE_URL=fresh_database)

        status, out, error = await run("rotate", "--json")
        assert status == 0, error
        fresh = json.loads(out)["key"]
        status, out, _ = await run("status", "--json")
        said = json.loads(out)
        assert (status, said["secrets"], said["waiting"], said["unreadable"]) == (0, 2, 2, 0)
        assert [(one["key"], one["active"], one["secrets"]) for one in said["keys"]] == [
            (ring.keys[0].name, False, 2),
            (fresh, True, 0),
        ]
        status, out, error = await run("reencrypt")
        assert (status, out) == (0, "")
        assert "2 secrets, 2 sealed anew, 0 do not open." in error
        status, out, _ = await run("status")
        assert "2 secrets, 0 not under the active key, 0 under no key that is here." in out
        assert "api_answers.answer" in out
        status, _, error = await run("retire", ring.keys[0].name)
        assert status == 1
        assert "Try again in five minutes" in error
        connection.execute("UPDATE api_answers SET answer = answer || 'x' WHERE call = 'two'")
        status, out, error = await run("verify")
        assert (status, out) == (1, f"api_answers.answer of {b'two'.hex()}: seal_broken\n")
        status, out, _ = await run("verify", "--json")
        assert (status, json.loads(out)["faults"][0]["row"]) == (1, b"two".hex())


async def test_keys_are_listed_without_a_secret_and_what_is_wrong_with_them_is_named(tmp_path: Path) -> None:
    status, out, _ = await admin("keys", "--json", "--data-dir", tmp_path)
    assert (status, json.loads(out), os.listdir(tmp_path)) == (0, [], [])  # noqa: PTH208 - pathlib's is banned here
    collector_key(tmp_path)
    command_key(tmp_path)
    ring = KeyRing.made(tmp_path / RING_FILE, NOW)
    status, out, _ = await admin("keys", "--data-dir", tmp_path)
    assert status == 0
    assert ring.active.fingerprint in out
    assert "agents pin it" in out
    (tmp_path / "command.key").chmod(0o604)
    (tmp_path / RING_FILE).write_text("{")
    status, out, _ = await admin("keys", "--json", "--data-dir", tmp_path)
    assert status == 1
    assert [one["fault"] for one in json.loads(out)] == [None, "key_file_open", "key_file_damaged"]
    status, out, _ = await admin("keys", "--data-dir", tmp_path)
    assert "chmod 600" in out
