"""Programs that bring metrics of their own, and their tokens."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Bytea, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from pudim_collector.infra.database import database


class Sender(Table, tablename="senders", db=database):
    """`made_by` is null where an API token made it."""

    id = UUID(primary_key=True)
    team_id = UUID()
    made_by = UUID(null=True, default=None)
    name = Varchar(length=128)
    prefix = Varchar(length=32)
    secret_hash = Bytea(unique=True)
    most_series = Integer()
    most_servers = Integer()
    created_at = Timestamptz()
    revoked_at = Timestamptz(null=True, default=None)
    used_at = Timestamptz(null=True, default=None)
    series = Integer(default=0)
    refused_points = BigInt(default=0)
    refused_at = Timestamptz(null=True, default=None)
    refused_said = Text(null=True, default=None)
