"""No migration makes a column for secrets that is not registered as sealed, and the rule is able to fail."""

from __future__ import annotations

import pytest

from pudim_collector.app.features import SEALED
from tests.architecture import columns
from tests.architecture.codebase import texts

PATH = "collector/pudim_collector/features/uptime/piccolo_migrations/0002_pre_more.sql"
REGISTERED = {(one.table, one.column) for one in SEALED}


def test_every_column_of_secrets_is_sealed() -> None:
    offences = columns.unsealed(texts(), REGISTERED)
    assert not offences, "\n".join([columns.INSTEAD, *offences])


def test_every_sealed_column_is_made_by_a_migration_as_bytes() -> None:
    made = {
        (one.table, one.name): one.type
        for text in columns.migrations(texts()).values()
        for one in columns.columns(text)
    }
    assert {one: made.get(one) for one in REGISTERED} == dict.fromkeys(REGISTERED, "bytea")


@pytest.mark.parametrize("exception", columns.NOT_SECRET, ids=".".join)
def test_an_exception_is_still_needed(exception: tuple[str, str]) -> None:
    made = [one for text in columns.migrations(texts()).values() for one in columns.columns(text)]
    assert any((one.table, one.name) == exception and columns.holds_secret(one) for one in made)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE hooks (\n    id uuid PRIMARY KEY,\n    secret bytea NOT NULL\n);",
        "CREATE TABLE hooks (\n    id uuid PRIMARY KEY, -- of a hook\n    client_secret text -- plain\n);",
        "CREATE TABLE IF NOT EXISTS hooks (\n    totp_seed bytea\n);",
        "CREATE TABLE hooks (\n    smtp_password varchar(64)\n);",
        "CREATE TABLE hooks (\n    credentials jsonb NOT NULL\n);",
        "CREATE TABLE hooks (\n    signing_key bytea NOT NULL\n);",
        "ALTER TABLE hooks ADD COLUMN api_token text;",
        "ALTER TABLE hooks\n    ADD COLUMN name text,\n    ADD private_key bytea;",
        "ALTER TABLE hooks RENAME COLUMN name TO secret;",
        "alter table hooks add column sealed bytea;",
    ],
)
def test_an_unregistered_column_is_noticed(sql: str) -> None:
    assert len(columns.unsealed({PATH: sql}, REGISTERED)) == 1


def test_a_registered_column_is_not() -> None:
    sql = "CREATE TABLE hooks (\n    secret bytea\n);"
    assert columns.unsealed({PATH: sql}, set()) == [f"{PATH}: hooks.secret"]
    assert not columns.unsealed({PATH: sql}, {("hooks", "secret")})
    assert columns.unsealed({PATH: sql}, {("others", "secret")})


@pytest.mark.parametrize(
    "column",
    [
        *(
            "secret_hash bytea",
            "token_prefix text",
            "public_key bytea",
            "token_id uuid",
            "password_hash text",
        ),
        *(
            "tokens bigint",
            "secret_set boolean",
            "key text PRIMARY KEY",
            "email_key text",
            "passwords_since timestamptz",
        ),
    ],
)
def test_what_holds_no_secret_is_let_be(column: str) -> None:
    assert not columns.unsealed({PATH: f"CREATE TABLE hooks (\n    {column}\n);"}, set())
