"""Nobody's rows are left out of what a person is told and of what is forgotten of him, and the rule is able to fail."""

from __future__ import annotations

import pytest

from pudim_collector.app.features import KEPT, PERSONAL
from tests.architecture import persons
from tests.architecture.codebase import texts
from tests.architecture.columns import columns, migrations

PATH = "collector/pudim_collector/features/comments/piccolo_migrations/0001_pre_comments.sql"
CLAIMED = {column for section in PERSONAL for column in section.columns}


def test_every_column_about_a_person_is_in_a_section() -> None:
    offences = persons.unclaimed(texts(), CLAIMED)
    assert not offences, "\n".join([persons.INSTEAD, *offences])


def test_sections_name_columns_that_there_are() -> None:
    made = {f"{one.table}.{one.name}" for text in migrations(texts()).values() for one in columns(text)}
    assert made >= CLAIMED


def test_no_two_sections_and_no_two_kinds_have_one_name() -> None:
    for names in ([one.name for one in PERSONAL], [one.name for one in KEPT]):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("exception", persons.NOBODYS, ids=".".join)
def test_an_exception_is_still_needed(exception: tuple[str, str]) -> None:
    assert any(exception in persons.about_people(text) for text in migrations(texts()).values())


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE comments (\n    id uuid PRIMARY KEY,\n    writer uuid NOT NULL REFERENCES users ON DELETE CASCADE\n);",
        "CREATE TABLE comments (\n    user_id uuid NOT NULL\n);",
        "CREATE TABLE comments (\n    author_name text NOT NULL\n);",
        "ALTER TABLE comments ADD COLUMN closed uuid REFERENCES users;",
        "ALTER TABLE comments\n    ADD COLUMN text text,\n    ADD COLUMN last_address varchar(64);",
    ],
)
def test_an_unclaimed_column_is_noticed(sql: str) -> None:
    (offence,) = persons.unclaimed({PATH: sql}, set())
    assert not persons.unclaimed({PATH: sql}, {offence.partition(": ")[2]})
