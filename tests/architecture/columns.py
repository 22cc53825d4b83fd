"""Columns that migrations make, by their names: what may hold a secret must be registered as sealed, or say here why not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

INSTEAD = (
    "Seal it (pudim_collector.infra.sealing): bytea, a SealedColumn in the feature's FEATURE, a Sealer from Runtime's sealers. "
    "A digest ends in _hash; another reason stands in NOT_SECRET of tests/architecture/columns.py."
)
NOT_SECRET: dict[tuple[str, str], str] = {
    ("audit_entries", "credential"): "by which session or token somebody did it: its id",
}
_TABLE = re.compile(
    r"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)\n\)", re.DOTALL | re.IGNORECASE
)
_ALTER = re.compile(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\w+)(.*?);", re.DOTALL | re.IGNORECASE)
_ADDED = re.compile(r"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(\w+) ([a-z]+)", re.IGNORECASE)
_RENAMED = re.compile(r"RENAME (?:COLUMN )?\w+ TO (\w+)()", re.IGNORECASE)
_COLUMN = re.compile(r"^\s*(\w+) ([a-z]+)", re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_HOLDS_TEXT = re.compile(r"(bytea|text|varchar|character|jsonb?|)$")
_SECRET = re.compile(
    r"(^|_)(secrets?|sealed|passwords?|passphrase|tokens?|credentials?|seeds?|totp|private|(?:secret|api|signing|encryption)_keys?|otp|pin)(_|$)"
)
_HARMLESS = re.compile(
    r"_(hash|hashes|digest|prefix|hint|id|ids|name|kind|count)$|^public_|^(primary|foreign|unique)$"
)


class Column(NamedTuple):
    table: str
    name: str
    type: str


def columns(sql: str) -> Iterator[Column]:
    """What a migration adds; good enough for how ours are written."""
    bare = _COMMENT.sub("", sql)
    for table, body in _TABLE.findall(bare):
        yield from (Column(table, *one) for one in _COLUMN.findall(body))
    for table, body in _ALTER.findall(bare):
        yield from (Column(table, *one) for one in (*_ADDED.findall(body), *_RENAMED.findall(body)))


def migrations(texts: Mapping[str, str]) -> dict[str, str]:
    return {
        path: text
        for path, text in texts.items()
        if path.startswith("collector/") and path.endswith(".sql") and "migrations/" in path
    }


def holds_secret(column: Column) -> bool:
    text = _HOLDS_TEXT.fullmatch(column.type.lower()) is not None
    return text and _SECRET.search(column.name) is not None and _HARMLESS.search(column.name) is None


def unsealed(texts: Mapping[str, str], sealed: set[tuple[str, str]]) -> list[str]:
    return [
        f"{path}: {column.table}.{column.name}"
        for path, text in migrations(texts).items()
        for column in columns(text)
        if holds_secret(column)
        and (column.table, column.name) not in sealed
        and (column.table, column.name) not in NOT_SECRET
    ]
