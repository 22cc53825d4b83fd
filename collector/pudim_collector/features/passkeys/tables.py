"""Passkeys of people, and challenges that wait for their one answer."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Bytea, Timestamptz, Varchar
from piccolo.table import Table

from pudim_collector.infra.database import database


class Passkey(Table, tablename="passkeys", db=database):
    id = UUID(primary_key=True)
    user_id = UUID()
    name = Varchar(length=64)
    credential_id = Bytea(unique=True)
    public_key = Bytea()
    sign_count = BigInt()
    created_at = Timestamptz()
    last_used_at = Timestamptz(null=True, default=None)


class PasskeyChallenge(Table, tablename="passkey_challenges", db=database):
    """`user_id` is null where anybody may answer it: a sign-in without a password."""

    challenge = Bytea(primary_key=True)
    purpose = Varchar(length=16)
    user_id = UUID(null=True, default=None)
    expires_at = Timestamptz()
