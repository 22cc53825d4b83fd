"""Servers at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from pudim_collector.features.servers.rules import ServerKind, ServerState
from pudim_collector.features.servers.service import ServerView

Name = Annotated[str, Meta(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
FactName = Annotated[str, Meta(max_length=64, pattern=r"^[a-z0-9._]+$")]
FactText = Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")]

Tags = Annotated[
    list[str] | None,
    QueryParameter(
        name="tag", max_items=20, description="Only servers with this tag; repeat for all of several."
    ),
]


class ServerSign(Struct):
    """How many things of a kind a host has, and how many need somebody; `old` when nobody knows if it is still so."""

    total: int
    bad: int
    received_at: datetime
    old: bool


class Server(Struct):
    """A managed host. cpu, memory and disk (its fullest filesystem) are fractions, null when not known now.

    One of kind `outside` has no agent: other programs bring its metrics. `signs` has containers, units, checks,
    disks and custom, as far as its agent told of them.
    """

    id: UUID
    name: str
    state: ServerState
    last_seen_at: datetime | None
    enrolled_at: datetime
    agent_version: str | None
    os: str | None
    architecture: str | None
    kind: ServerKind
    cpu: float | None
    memory: float | None
    disk: float | None
    tags: list[str]
    kernel: str | None
    signs: dict[str, ServerSign]

    @classmethod
    def of(cls, view: ServerView) -> Server:
        return msgspec.convert(view, cls, from_attributes=True)


class ServerChanges(Struct, forbid_unknown_fields=True):
    """What is left out stays as it is; `tags` replace all that the server had."""

    name: Name | None = None
    tags: Annotated[list[FactText], Meta(max_length=64)] | None = None


class ServerPage(Struct):
    items: list[Server]
    next_cursor: str | None


class NewEnrolmentToken(Struct, forbid_unknown_fields=True):
    """What the server will be called; by default its host name."""

    name: Name | None = None


class EnrolmentToken(Struct):
    """A single-use token and the command that uses it on the host. Shown once."""

    token: str
    expires_at: datetime
    collector_key: str
    command: str


class EnrolmentRequest(Struct):
    """An agent's wish to be known; keys and proof in unpadded base64url. A newer agent may say more.

    `name` counts where whoever made the token left the name open.
    """

    token: Annotated[str, Meta(max_length=256)]
    public_key: Annotated[str, Meta(max_length=64)]
    proof: Annotated[str, Meta(max_length=128)]
    name: FactText | None = None
    facts: Annotated[dict[FactName, FactText], Meta(max_length=32)] = {}


class EnrolmentAnswer(Struct):
    """The new agent's id, signed with the collector's key."""

    agent_id: UUID
    signature: str
