"""All reads and writes of accounts; who may ask was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from pudim_collector.features.accounts.tables import ApiToken, Session, SetupLink, Team, User
from pudim_collector.infra.database import database


@dataclass(frozen=True)
class UserRecord:
    id: UUID
    team_id: UUID
    name: str
    email: str
    role: str
    password_hash: str
    language: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True)
class SessionRecord:
    id: UUID
    created_at: datetime
    last_seen_at: datetime
    user: UserRecord


@dataclass(frozen=True)
class SeenSession:
    """A session as its person is shown it."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    address: str
    user_agent: str


@dataclass(frozen=True)
class TokenRecord:
    id: UUID
    team_id: UUID
    made_by: UUID | None
    name: str
    prefix: str
    role: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


async def ensure_team(team_id: UUID, name: str, now: datetime) -> UUID:
    """The one team, made if it is not there."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO teams (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            [team_id, name, now],
        )
    return await the_team()


async def the_team() -> UUID:
    row = await Team.select(Team.id).first()
    assert row is not None  # noqa: S101 - made at every start
    found: UUID = row["id"]
    return found


async def lock_team() -> UUID:
    """Whoever changes who the owners are does so one after the other."""
    row = await Team.select(Team.id).first().lock_rows("UPDATE")
    assert row is not None  # noqa: S101 - made at every start
    found: UUID = row["id"]
    return found


async def owner_exists(role: str) -> bool:
    return bool(await User.exists().where(User.role == role))


async def add_user(user: UserRecord, email_key: str, now: datetime) -> None:
    await User.insert(
        User(
            id=user.id,
            team=user.team_id,
            name=user.name,
            email=user.email,
            email_key=email_key,
            password_hash=user.password_hash,
            role=user.role,
            created_at=now,
        )
    )


async def find_user(email_key: str) -> UserRecord | None:
    row = await User.select().where(User.email_key == email_key).first()
    return _user(row) if row else None


async def get_user(user_id: UUID) -> UserRecord | None:
    row = await User.select().where(User.id == user_id).first()
    return _user(row) if row else None


async def set_email(user_id: UUID, email: str, email_key: str) -> bool:
    """Whether nobody else has it."""
    async with database.transaction():
        taken = await User.exists().where(User.email_key == email_key, User.id != user_id)
        if not taken:
            await User.update({User.email: email, User.email_key: email_key}).where(User.id == user_id)
    return not taken


async def set_password_hash(user_id: UUID, password_hash: str) -> None:
    await User.update({User.password_hash: password_hash}).where(User.id == user_id)


async def set_reading(user_id: UUID, *, name: str, language: str | None, time_zone: str | None) -> None:
    await User.update({User.name: name, User.language: language, User.time_zone: time_zone}).where(
        User.id == user_id
    )


async def add_session(
    session_id: UUID, user_id: UUID, secret_hash: bytes, now: datetime, *, address: str, user_agent: str
) -> None:
    await Session.insert(
        Session(
            id=session_id,
            user_id=user_id,
            secret_hash=secret_hash,
            created_at=now,
            last_seen_at=now,
            proved_at=now,
            address=address,
            user_agent=user_agent,
        )
    )


async def find_session(secret_hash: bytes) -> SessionRecord | None:
    row = (
        await Session.select(
            Session.id, Session.created_at, Session.last_seen_at, *Session.user_id.all_columns()
        )
        .where(Session.secret_hash == secret_hash)
        .output(nested=True)
        .first()
    )
    if row is None:
        return None
    return SessionRecord(row["id"], row["created_at"], row["last_seen_at"], _user(row["user_id"]))


async def touch_session(session_id: UUID, now: datetime) -> None:
    await Session.update({Session.last_seen_at: now}).where(Session.id == session_id)


async def renew_session(session_id: UUID, secret_hash: bytes, proved_at: datetime | None) -> bool:
    changed: dict[Any, Any] = {Session.secret_hash: secret_hash}
    if proved_at is not None:
        changed[Session.proved_at] = proved_at
    return bool(await Session.update(changed).where(Session.id == session_id).returning(Session.id))


async def proved_at(session_id: UUID) -> datetime | None:
    row = await Session.select(Session.proved_at).where(Session.id == session_id).first()
    found: datetime | None = row["proved_at"] if row else None
    return found


async def list_sessions(user_id: UUID) -> Sequence[SeenSession]:
    rows = (
        await Session.select(
            Session.id, Session.created_at, Session.last_seen_at, Session.address, Session.user_agent
        )
        .where(Session.user_id == user_id)
        .order_by(Session.last_seen_at, ascending=False)
    )
    return [SeenSession(**row) for row in rows]


async def remove_session_of(user_id: UUID, session_id: UUID) -> bool:
    gone = (
        await Session.delete()
        .where(Session.id == session_id, Session.user_id == user_id)
        .returning(Session.id)
    )
    return bool(gone)


async def remove_sessions(user_id: UUID, *, but: UUID | None = None) -> None:
    """All of a person's, or all but one."""
    others = [Session.user_id == user_id] + ([Session.id != but] if but is not None else [])
    await Session.delete().where(*others)


async def remove_session(session_id: UUID) -> None:
    await Session.delete().where(Session.id == session_id)


async def remove_sessions_before(*, created_at: datetime, last_seen_at: datetime) -> None:
    await Session.delete().where((Session.created_at < created_at) | (Session.last_seen_at < last_seen_at))


async def add_token(token: TokenRecord, secret_hash: bytes) -> None:
    await ApiToken.insert(
        ApiToken(
            id=token.id,
            team=token.team_id,
            made_by=token.made_by,
            name=token.name,
            prefix=token.prefix,
            secret_hash=secret_hash,
            role=token.role,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )


async def find_token(secret_hash: bytes) -> TokenRecord | None:
    # Asked with each request of a program: building this query anew would cost more than all the rest of it.
    async with database.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("SELECT * FROM api_tokens WHERE secret_hash = $1", [secret_hash], prepare=True)
        row = await cursor.fetchone()
    return _token(row) if row else None


async def list_tokens(team_id: UUID) -> Sequence[TokenRecord]:
    rows = (
        await ApiToken.select()
        .where(ApiToken.team == team_id, ApiToken.revoked_at.is_null())
        .order_by(ApiToken.created_at, ascending=False)
    )
    return [_token(row) for row in rows]


async def touch_token(token_id: UUID, now: datetime) -> None:
    await ApiToken.update({ApiToken.last_used_at: now}).where(ApiToken.id == token_id)


async def revoke_token(team_id: UUID, token_id: UUID, now: datetime) -> bool:
    revoked = (
        await ApiToken.update({ApiToken.revoked_at: now})
        .where(ApiToken.id == token_id, ApiToken.team == team_id, ApiToken.revoked_at.is_null())
        .returning(ApiToken.id)
    )
    return bool(revoked)


async def revoke_tokens_of_nobody(name: str, now: datetime) -> None:
    await ApiToken.update({ApiToken.revoked_at: now}).where(
        ApiToken.made_by.is_null(), ApiToken.name == name, ApiToken.revoked_at.is_null()
    )


async def replace_setup_link(link_id: UUID, secret_hash: bytes, now: datetime, expires_at: datetime) -> None:
    async with database.transaction():
        await SetupLink.delete().where(SetupLink.used_at.is_null())
        await SetupLink.insert(
            SetupLink(id=link_id, secret_hash=secret_hash, created_at=now, expires_at=expires_at)
        )


async def setup_link_open(secret_hash: bytes, now: datetime) -> bool:
    return bool(await SetupLink.exists().where(*_open(secret_hash, now)))


async def use_setup_link(secret_hash: bytes, now: datetime) -> bool:
    """Whether it was this call that used it."""
    used = (
        await SetupLink.update({SetupLink.used_at: now})
        .where(*_open(secret_hash, now))
        .returning(SetupLink.id)
    )
    return bool(used)


def _open(secret_hash: bytes, now: datetime) -> list[Any]:
    return [SetupLink.secret_hash == secret_hash, SetupLink.used_at.is_null(), SetupLink.expires_at > now]


def _user(row: dict[str, Any]) -> UserRecord:
    return UserRecord(
        row["id"],
        row["team"],
        row["name"],
        row["email"],
        row["role"],
        row["password_hash"],
        row["language"],
        row["time_zone"],
    )


def _token(row: dict[str, Any]) -> TokenRecord:
    return TokenRecord(
        row["id"],
        row["team"],
        row["made_by"],
        row["name"],
        row["prefix"],
        row["role"],
        row["created_at"],
        row["expires_at"],
        row["last_used_at"],
        row["revoked_at"],
    )
