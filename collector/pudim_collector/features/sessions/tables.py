"""Half sessions, and browsers that somebody signed in with before; secrets are in their cookies only."""

from __future__ import annotations

from piccolo.columns import UUID, Bytea, Text, Timestamptz, Varchar
from piccolo.table import Table

from pudim_collector.infra.database import database


class HalfSession(Table, tablename="half_sessions", db=database):
    id = UUID(primary_key=True)
    user_id = UUID()
    secret_hash = Bytea(unique=True)
    step = Varchar(length=16)
    path = Text()
    created_at = Timestamptz()
    expires_at = Timestamptz()


class KnownDevice(Table, tablename="known_devices", db=database):
    id = UUID(primary_key=True)
    user_id = UUID()
    secret_hash = Bytea(unique=True)
    created_at = Timestamptz()
    last_seen_at = Timestamptz()
