"""Servers and the tokens by which they are enrolled."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, Array, Bytea, Text, Timestamptz, Varchar
from piccolo.table import Table

from pudim_collector.infra.database import database


class Server(Table, tablename="servers", db=database):
    """A managed host; its id is also its agent's, if it has one."""

    id = UUID(primary_key=True)
    name = Varchar(length=256)
    public_key = Bytea(null=True, default=None)
    kind = Varchar(length=16, default="agent")
    made_by = UUID(null=True, default=None)
    seen_at = Timestamptz(null=True, default=None)
    enrolled_at = Timestamptz()
    revoked_at = Timestamptz(null=True, default=None)
    opened_at = Timestamptz(null=True, default=None)
    agent_version = Varchar(length=256, null=True, default=None)
    facts = JSONB(default="{}")
    tags = Array(base_column=Text(), default=list)
    team_id = UUID()


class EnrolmentToken(Table, tablename="enrolment_tokens", db=database):
    """A single-use permission to add a server; only its hash is kept."""

    id = UUID(primary_key=True)
    token_hash = Bytea(unique=True)
    name = Varchar(length=256, null=True, default=None)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)
    server_id = UUID(null=True, default=None)
    team_id = UUID()
