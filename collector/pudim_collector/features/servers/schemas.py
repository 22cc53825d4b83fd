"""Servers at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.servers.rules import ServerState


class Server(Struct):
    """A managed host. cpu, memory and disk (its fullest filesystem) are fractions, null when not known now."""

    id: UUID
    name: str
    state: ServerState
    last_seen_at: datetime | None
    enrolled_at: datetime
    agent_version: str | None
    os: str | None
    architecture: str | None
    cpu: float | None
    memory: float | None
    disk: float | None


class ServerPage(Struct):
    items: list[Server]
    next_cursor: str | None


class NewEnrolmentToken(Struct, forbid_unknown_fields=True):
    """What the server will be called; by default its host name."""

    name: Annotated[str, Meta(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None


class EnrolmentToken(Struct):
    """A single-use token and the command that uses it on the host. Shown once."""

    token: str
    expires_at: datetime
    collector_key: str
    command: str


class EnrolmentRequest(Struct, forbid_unknown_fields=True):
    """An agent's wish to be known; keys and proof in unpadded base64url."""

    token: Annotated[str, Meta(max_length=256)]
    public_key: Annotated[str, Meta(max_length=64)]
    proof: Annotated[str, Meta(max_length=128)]
    facts: Annotated[
        dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=256)]], Meta(max_length=32)
    ] = {}


class EnrolmentAnswer(Struct):
    """The new agent's id, signed with the collector's key."""

    agent_id: UUID
    signature: str
