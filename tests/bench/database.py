"""What lies in the database of a Pudim under test, asked from the side: sizes, and what the upkeep has still to do."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_UNDONE = """
SELECT (SELECT count(*) FROM unrolled WHERE hour < %(over)s)
    + (SELECT count(*) FROM dirt, unnest(hours) AS one (hour) WHERE hour < %(over)s)
"""
_PARTITIONS = """
SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_partition_tree(%(table)s)
"""
_CHUNKS = "SELECT hypertable_size(%(table)s)"
_COMPACTED = "SELECT coalesce(sum(rows::bigint * (cardinality(offsets) - 1)), 0) FROM frame_blocks"
_COMPRESS = "SELECT compress_chunk(one, if_not_compressed => true) FROM show_chunks('frames') AS one"
_BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE state = 'active' AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'autovacuum worker')
"""
_TABLES = ("frames", "frame_blocks", "minute_blocks", "hour_blocks")
_CLOSING = 300
"""An hour is done some minutes after its end."""


@dataclass(frozen=True)
class Storage:
    """The database of the Pudim on `data_dir`, the embedded one unless PUDIM_DATABASE_URL names another."""

    data_dir: Path

    def rows(self, query: str, **parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def undone(self) -> int:
        """Hours of sources that are over and wait to be rolled up."""
        (row,) = self.rows(_UNDONE, over=int(time.time() - _CLOSING) // 3600)
        return int(row[0])

    def busy(self) -> int:
        """How many others work on the database now, its own housekeeping included."""
        return int(self.rows(_BUSY)[0][0])

    def backend(self) -> str:
        return str(self.rows("SELECT backend FROM store")[0][0])

    def bytes_of(self, table: str) -> int:
        """With indexes and TOAST."""
        query = _CHUNKS if self.backend() == "hypertable" else _PARTITIONS
        return int(self.rows(query, table=table)[0][0])

    def raw_bytes_per_sample(self, samples: int) -> float:
        """Of frames that have been made small. Hypertables' chunks are compressed for it here, earlier than usual.

        In partitions the rows that blocks were made of leave space behind; it is given back when their partition is
        empty, so it counts in `frames_bytes` only.
        """
        if self.backend() == "hypertable":
            self.rows(_COMPRESS)
            return self.bytes_of("frames") / samples
        return self.bytes_of("frame_blocks") / max(1, int(self.rows(_COMPACTED)[0][0]))

    def figures(self, samples: int) -> dict[str, Any]:
        """`samples` are all that have been stored."""
        sizes = {table: self.bytes_of(table) for table in _TABLES}
        return {
            "backend": self.backend(),
            "raw_bytes_per_sample": round(self.raw_bytes_per_sample(samples), 3),
            "minute_bytes_per_raw_sample": round(sizes["minute_blocks"] / samples, 3),
            "hour_bytes_per_raw_sample": round(sizes["hour_blocks"] / samples, 3),
            **{f"{table}_bytes": size for table, size in sizes.items()},
        }

    def _conninfo(self) -> str:
        given = os.environ.get("PUDIM_DATABASE_URL")
        if given:
            return given
        lines = (self.data_dir / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
        return f"host={lines[4]} port=5432 user=pudim dbname=pudim"
