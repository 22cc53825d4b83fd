"""How frames are kept: the port, and the choice that a database makes once, when the store is first prepared."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from psycopg import AsyncConnection

from pudim.vocabulary.errors import PudimError

Connection = AsyncConnection[Any]


class BackendUnavailable(PudimError):
    """This database's frames are kept by a backend that the server no longer offers."""

    code = "backend_unavailable"
    hint = "Bring the TimescaleDB extension back that this database was created with, preloaded."


class NoBackend(BackendUnavailable):
    """This server can keep frames in no way that Pudim knows."""

    hint = "Use PostgreSQL 14 or newer."


class Backend(Protocol):
    """Keeps the table `frames (source_id integer, time timestamptz, values float8[])`."""

    name: str

    async def offered(self, connection: Connection) -> bool:
        """Whether this server can keep frames this way."""
        ...

    async def create(self, connection: Connection) -> None:
        """Make the table of frames; raises BackendUnavailable when the server refuses, and is rolled back then."""
        ...

    async def make_room(self, connection: Connection, oldest: datetime, newest: datetime) -> None:
        """See to it that frames from `oldest` to `newest` have a place. Called at start and every hour."""
        ...
