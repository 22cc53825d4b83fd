"""How the store's tables are kept in pieces of time: the port, and the choice that a database makes once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from psycopg import AsyncConnection

from pudim.vocabulary.errors import PudimError

Connection = AsyncConnection[Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SNAPSHOT_LOCK = 0x7075_6469_6D04  # "pudim" and a number of ours
"""An advisory lock that is shared, before its snapshot, by who makes something lasting of frames out of one snapshot:
late rows that are compressed meanwhile would be missing there."""


class BackendUnavailable(PudimError):
    """This database's frames are kept by a backend that the server no longer offers."""

    code = "backend_unavailable"
    hint = "Bring the TimescaleDB extension back that this database was created with, preloaded."


class NoBackend(BackendUnavailable):
    """This server can keep frames in no way that Pudim knows."""

    hint = "Use PostgreSQL 16 or newer."


class TimeTable(NamedTuple):
    """A table that is kept in pieces of `width`, aligned to the epoch, by its column `by`."""

    name: str
    tier: str
    by: str
    columns: str
    keys: str
    width: timedelta

    def start_of(self, moment: datetime) -> datetime:
        """The beginning of the piece that holds `moment`."""
        return EPOCH + (moment - EPOCH) // self.width * self.width


class Piece(NamedTuple):
    """A partition or chunk of a table with rows from `start` until before `end`; bytes with indexes and TOAST."""

    table: TimeTable
    name: str
    start: datetime
    end: datetime
    bytes: int


RAW, MINUTE, HOUR = TIERS = ("raw", "minute", "hour")
_BLOCK = (
    "source_id integer NOT NULL, start timestamptz NOT NULL, rows integer NOT NULL, times bytea NOT NULL,"
    # One column is read by its offsets: only what is stored uncompressed by PostgreSQL has pieces to fetch.
    " offsets integer[] NOT NULL, body bytea STORAGE EXTERNAL NOT NULL"
)
FRAMES = TimeTable(
    "frames",
    RAW,
    "time",
    "source_id integer NOT NULL, time timestamptz NOT NULL, values float8[] NOT NULL",
    "CREATE INDEX IF NOT EXISTS frames_source_time ON frames (source_id, time)",
    # Rows are moved out of it within hours, and only a piece that has ended gives their space back.
    timedelta(hours=6),
)


def _blocks(name: str, tier: str, width: timedelta) -> TimeTable:
    keys = f"CREATE UNIQUE INDEX IF NOT EXISTS {name}_source_start ON {name} (source_id, start)"
    return TimeTable(name, tier, "start", _BLOCK, keys, width)


FRAME_BLOCKS = _blocks("frame_blocks", RAW, FRAMES.width)
MINUTE_BLOCKS = _blocks("minute_blocks", MINUTE, timedelta(days=4))
HOUR_BLOCKS = _blocks("hour_blocks", HOUR, timedelta(days=40))
TABLES = (FRAMES, FRAME_BLOCKS, MINUTE_BLOCKS, HOUR_BLOCKS)


class Backend(Protocol):
    """Keeps TABLES in pieces, and gives their space back."""

    name: str

    async def offered(self, connection: Connection) -> bool:
        """Whether this server can keep tables this way."""
        ...

    async def create(self, connection: Connection) -> None:
        """Make TABLES where they do not exist. Raises BackendUnavailable when the server refuses, rolled back then."""
        ...

    async def make_room(
        self, connection: Connection, table: TimeTable, oldest: datetime, newest: datetime
    ) -> None:
        """See to it that rows from `oldest` to `newest` have a place."""
        ...

    async def compacts(self, connection: Connection) -> bool:
        """Whether this backend makes old frames small by itself, in `compress`; if not, the upkeep moves them into blocks."""
        ...

    async def compress(self, connection: Connection, before: datetime) -> int:
        """Make the frames of pieces that ended `before` small, also what came late into small ones; how many pieces."""
        ...

    async def pieces(self, connection: Connection) -> list[Piece]:
        """All pieces of all tables, oldest first."""
        ...

    async def drop(self, connection: Connection, piece: Piece) -> None:
        """Give the piece's rows and space back."""
        ...

    async def vacate(self, connection: Connection, before: datetime) -> int:
        """Give the space of frames' pieces back that ended `before` and have no rows left; how many pieces."""
        ...
