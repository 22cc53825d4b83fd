"""Tokens for programs: of people, and of a team's services."""

from __future__ import annotations

from piccolo.columns import UUID, Array, Boolean, Bytea, SmallInt, Text, Timestamptz, Varchar
from piccolo.table import Table

from pudim_collector.infra.database import database


class ApiToken(Table, tablename="api_tokens", db=database):
    """`made_by` is the person as whom it acts, null for a service's; `created_by` is who made that one.

    `previous_hash` is of the secret that it had before it was renewed.
    """

    id = UUID(primary_key=True)
    team = UUID()
    made_by = UUID(null=True, default=None)
    created_by = UUID(null=True, default=None)
    name = Varchar(length=128)
    prefix = Varchar(length=32)
    secret_hash = Bytea(unique=True)
    previous_hash = Bytea(null=True, default=None)
    previous_ends_at = Timestamptz(null=True, default=None)
    role = Varchar(length=32)
    created_at = Timestamptz()
    expires_at = Timestamptz(null=True, default=None)
    warned = SmallInt(null=True, default=None)
    last_used_at = Timestamptz(null=True, default=None)
    revoked_at = Timestamptz(null=True, default=None)
    own_role = UUID(null=True, default=None)
    operator = Boolean(default=False)
    scopes = Array(base_column=Text(), null=True, default=None)
    only_servers = Array(base_column=UUID(), null=True, default=None)
    only_tags = Array(base_column=Text(), null=True, default=None)
    last_used_address = Varchar(length=64, null=True, default=None)
