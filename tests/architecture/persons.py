"""Columns that migrations make and that are about a person: told and erased by a feature's `personal`, or said here why not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tests.architecture.columns import columns, migrations

INSTEAD = (
    "Name the column in a Section of the feature's personal.py (pudim_collector.infra.personal), by which people are told of it "
    "and forgotten; a column that is nobody's stands with its reason in NOBODYS of tests/architecture/persons.py."
)
NOBODYS: dict[tuple[str, str], str] = {
    ("servers", "made_by"): "the sender that first named it, which is a program of the team",
}
_PERSONS = re.compile(
    r"(user|person|author|owner|maker|actor|asker|member|recipient|email)(_id|_key|_name)?"
    r"|(made|changed|created|asked|invited|deleted|confirmed|acknowledged)_by(_id)?"
    r"|(\w+_)?(address|user_agent)|credential|target_(id|name)"
)
_REFERENCE = re.compile(r"^\s*(?:ADD COLUMN )?(\w+) uuid[^,\n]*REFERENCES users\b", re.MULTILINE)
_TABLE = re.compile(r"(?:CREATE (?:UNLOGGED )?|ALTER )TABLE (?:IF NOT EXISTS )?(\w+)\b(.*?);", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*")


def about_people(sql: str) -> Iterator[tuple[str, str]]:
    """Table and column: what refers to an account, and what by its name holds a person, his address, or where he was."""
    yield from ((one.table, one.name) for one in columns(sql) if _PERSONS.fullmatch(one.name))
    for table, body in _TABLE.findall(_COMMENT.sub("", sql)):
        yield from ((table, column) for column in _REFERENCE.findall(body))


def unclaimed(texts: Mapping[str, str], claimed: set[str]) -> list[str]:
    return sorted(
        {
            f"{path}: {table}.{column}"
            for path, text in migrations(texts).items()
            for table, column in about_people(text)
            if f"{table}.{column}" not in claimed and (table, column) not in NOBODYS
        }
    )
