"""The tables of a Pudim's database as PostgreSQL lists them, so that no backup forgets a new feature's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import psycopg

from pudim.vocabulary.errors import PudimError

Connection = psycopg.Connection[Any]

# What is made of other tables' pieces is theirs, what an extension brings is its own.
_TABLES = """
SELECT relation.relname::text, (
    SELECT array_agg(attribute.attname::text ORDER BY attribute.attnum) FROM pg_attribute AS attribute
    WHERE attribute.attrelid = relation.oid AND attribute.attnum > 0
    AND NOT attribute.attisdropped AND attribute.attgenerated = ''
)
FROM pg_class AS relation
WHERE relation.relnamespace = current_schema()::regnamespace
AND relation.relkind IN ('r', 'p') AND NOT relation.relispartition AND relation.relpersistence = 'p'
AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = relation.oid)
AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e'
)
ORDER BY relation.relname
"""
_REFERENCES = """
SELECT referring.relname::text, referred.relname::text FROM pg_constraint
JOIN pg_class AS referring ON referring.oid = conrelid
JOIN pg_class AS referred ON referred.oid = confrelid
WHERE contype = 'f' AND conrelid <> confrelid AND referring.relnamespace = current_schema()::regnamespace
"""
_SEQUENCES = """
SELECT sequencename::text, last_value FROM pg_sequences
WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY sequencename
"""


class CircularTables(PudimError):
    """Tables refer to each other in a circle, so that none can be restored first."""

    code = "circular_tables"


class FoundTable(NamedTuple):
    name: str
    columns: Sequence[str]


def tables(connection: Connection) -> list[FoundTable]:
    """Every table of ours with its own columns, each after those it refers to."""
    found = {name: FoundTable(name, columns or []) for name, columns in connection.execute(_TABLES)}
    refers: dict[str, set[str]] = {name: set() for name in found}
    for referring, referred in connection.execute(_REFERENCES):
        if referring in refers and referred in found:
            refers[referring].add(referred)
    try:
        return [found[name] for name in TopologicalSorter(refers).static_order()]
    except CycleError as error:
        raise CircularTables(str(error.args[1])) from error


def sequences(connection: Connection) -> Mapping[str, int]:
    """The last value of each sequence that gave one out; read after a snapshot it covers all that the snapshot shows."""
    return dict(connection.execute(_SEQUENCES).fetchall())
