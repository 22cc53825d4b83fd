"""Secrets of authenticator apps and hashes of recovery codes, by person."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Bytea, Timestamptz
from piccolo.table import Table

from pudim_collector.infra.database import database


class TotpSecret(Table, tablename="totp_secrets", db=database):
    """`confirmed_at` is null until a first code was right; `last_step` is the newest whose code was used."""

    id = UUID(primary_key=True)
    user_id = UUID()
    sealed = Bytea()
    created_at = Timestamptz()
    confirmed_at = Timestamptz(null=True, default=None)
    last_step = BigInt(null=True, default=None)


class RecoveryKey(Table, tablename="recovery_keys", db=database):
    user_id = UUID(primary_key=True)
    sealed = Bytea()
    created_at = Timestamptz()
