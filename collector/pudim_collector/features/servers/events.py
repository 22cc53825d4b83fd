"""What happens to servers, for the audit log and for whoever listens. No secret is ever part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited

_SERVER = Target("server", "server_id", "name")


@audited("server.invited", "made an enrolment token for a new server", target=Target("server", None, "name"))
@dataclass(frozen=True)
class ServerInvited:
    name: str | None
    expires_at: datetime


@audited(
    "server.enrolled", "was enrolled as a server", target=_SERVER, actor=Actor("agent", "server_id", "name")
)
@dataclass(frozen=True)
class ServerEnrolled:
    server_id: UUID
    name: str


@audited(
    "server.enrolment_refused",
    "was refused as a server",
    actor=Actor("agent"),
    result=Result.REFUSED,
    of_installation=True,
)
@dataclass(frozen=True)
class EnrolmentRefused:
    code: str


@audited("server.changed", "renamed or tagged a server", target=_SERVER)
@dataclass(frozen=True)
class ServerChanged:
    server_id: UUID
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("server.revoked", "revoked a server's agent", target=Target("server", "server_id"))
@dataclass(frozen=True)
class AgentRevoked:
    server_id: UUID
