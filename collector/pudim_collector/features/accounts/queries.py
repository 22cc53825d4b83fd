"""All reads and writes of accounts; who may ask was decided before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import msgspec

from pudim_collector.features.accounts.tables import Session, SetupLink, User
from pudim_collector.infra.auth import TeamName
from pudim_collector.infra.database import database
from pudim_collector.infra.database.prepared import Prepared
from pudim_collector.infra.standing import Standing, read_grants
from pudim_collector.series.statements import fetch

_SQL = Path(__file__).parent / "sql"
_SESSION = Prepared("session_of_secret", (_SQL / "session.sql").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class UserRecord:
    id: UUID
    name: str
    email: str
    password_hash: str
    language: str | None = None
    time_zone: str | None = None
    operator: bool = False


@dataclass(frozen=True)
class Person:
    id: UUID
    name: str
    email: str
    language: str | None
    time_zone: str | None
    teams: tuple[TeamName, ...] = ()


@dataclass(frozen=True)
class SessionRecord:
    id: UUID
    created_at: datetime
    last_seen_at: datetime
    person: Person
    standing: Standing


@dataclass(frozen=True)
class SeenSession:
    """A session as its person is shown it."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    address: str
    user_agent: str


async def the_team() -> UUID:
    """The installation's first team, which is there from the beginning."""
    return await _first_team("SELECT id FROM teams ORDER BY created_at, id LIMIT 1")


async def lock_team() -> UUID:
    """The first team; whoever makes the first owner does so one after the other."""
    return await _first_team("SELECT id FROM teams ORDER BY created_at, id LIMIT 1 FOR UPDATE")


async def _first_team(query: LiteralString) -> UUID:
    async with database.connection() as connection:
        ((found,),) = await fetch(connection, query)
    team_id: UUID = found
    return team_id


async def operator_exists() -> bool:
    return bool(await User.exists().where(User.operator.eq(True)))


async def add_user(user: UserRecord, email_key: str, now: datetime) -> None:
    await User.insert(
        User(
            id=user.id,
            name=user.name,
            email=user.email,
            email_key=email_key,
            password_hash=user.password_hash,
            created_at=now,
            operator=user.operator,
        )
    )


async def add_owner(team_id: UUID, user_id: UUID, now: datetime) -> None:
    query: LiteralString = (
        "INSERT INTO memberships (team_id, user_id, role, since) VALUES ($1, $2, 'owner', $3)"
    )
    async with database.connection() as connection:
        await fetch(connection, query, [team_id, user_id, now])


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
    """In the team that the person has been in longest."""
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
    # Asked with each request of a person: one statement for all that decides over it.
    async with database.connection() as connection:
        rows = await _SESSION.rows(connection, secret_hash)
    if not rows:
        return None
    session_id, created_at, last_seen_at, user_id, name, email, operator, language, zone, *rest = rows[0]
    team_id, role, own_name, own, grants, teams, tenancy, lacks_factor = rest
    standing = Standing(team_id, role, own_name, own, read_grants(grants), tenancy, operator, lacks_factor)
    person = Person(user_id, name, email, language, zone, _teams(teams))
    return SessionRecord(session_id, created_at, last_seen_at, person, standing)


async def set_session_team(session_id: UUID, user_id: UUID, team_id: UUID) -> bool:
    """False if the person is not in that team."""
    query: LiteralString = (
        "UPDATE sessions SET team_id = $3 WHERE id = $1 AND user_id = $2"
        " AND EXISTS (SELECT FROM memberships WHERE memberships.user_id = $2 AND memberships.team_id = $3) RETURNING id"
    )
    async with database.connection() as connection:
        return bool(await fetch(connection, query, [session_id, user_id, team_id]))


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
        row["name"],
        row["email"],
        row["password_hash"],
        row["language"],
        row["time_zone"],
        row["operator"],
    )


def _teams(encoded: str | None) -> tuple[TeamName, ...]:
    return () if encoded is None else msgspec.json.decode(encoded, type=tuple[TeamName, ...])
