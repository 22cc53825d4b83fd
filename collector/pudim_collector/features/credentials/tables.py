"""Links by mail: of each kind one a person, the newest."""

from __future__ import annotations

from piccolo.columns import UUID, Bytea, Timestamptz, Varchar
from piccolo.table import Table

from pudim_collector.infra.database import database


class PasswordReset(Table, tablename="password_resets", db=database):
    id = UUID(primary_key=True)
    user_id = UUID(unique=True)
    secret_hash = Bytea(unique=True)
    expires_at = Timestamptz()


class EmailChange(Table, tablename="email_changes", db=database):
    id = UUID(primary_key=True)
    user_id = UUID(unique=True)
    email = Varchar(length=254)
    secret_hash = Bytea(unique=True)
    expires_at = Timestamptz()
