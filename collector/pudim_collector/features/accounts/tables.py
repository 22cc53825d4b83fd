"""The team, its people, their sessions, and links that make the first owner."""

from __future__ import annotations

from piccolo.columns import UUID, Boolean, Bytea, ForeignKey, Text, Timestamptz, Varchar
from piccolo.table import Table

from pudim_collector.infra.database import database


class Team(Table, tablename="teams", db=database):
    id = UUID(primary_key=True)
    name = Varchar(length=128)
    created_at = Timestamptz()


class User(Table, tablename="users", db=database):
    """`email_key` is the address as compared, `email` as written. An operator looks after the installation itself."""

    id = UUID(primary_key=True)
    name = Varchar(length=128)
    email = Varchar(length=254)
    email_key = Varchar(length=254, unique=True)
    password_hash = Text()
    created_at = Timestamptz()
    language = Varchar(length=16, null=True, default=None)
    time_zone = Varchar(length=64, null=True, default=None)
    operator = Boolean(default=False)


class Session(Table, tablename="sessions", db=database):
    """A browser that signed in, and the team that it is in; its secret is in its cookie only.

    `proved_at`: when it last showed more than that.
    """

    id = UUID(primary_key=True)
    user_id = ForeignKey(User, null=False)
    secret_hash = Bytea(unique=True)
    created_at = Timestamptz()
    last_seen_at = Timestamptz()
    proved_at = Timestamptz(null=True, default=None)
    address = Varchar(length=64)
    user_agent = Varchar(length=256)
    team_id = ForeignKey(Team, null=True, default=None)


class SetupLink(Table, tablename="setup_links", db=database):
    id = UUID(primary_key=True)
    secret_hash = Bytea(unique=True)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)
