"""What happens to the audit log itself, and what it sees of requests that no other feature tells of."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited

_SYSTEM = Actor("system")


@audited("access.refused", "was refused", target=Target("route", None, "route"), result=Result.REFUSED)
@dataclass(frozen=True)
class AccessRefused:
    """`left_out`: how many like it were not written before, so that a loop does not fill the log."""

    route: str
    code: str
    detail: str
    left_out: int


@audited(
    "credential.refused",
    "showed a token that is not good",
    target=Target("route", None, "route"),
    actor=Actor("unknown"),
    result=Result.REFUSED,
    of_installation=True,
)
@dataclass(frozen=True)
class CredentialRefused:
    route: str
    code: str
    left_out: int


@audited("request.made", "changed something", target=Target("route", None, "route"))
@dataclass(frozen=True)
class RequestMade:
    """The floor under all others: a change that no feature told of."""

    route: str
    what: str


@audited(
    "token.used_from_new_network",
    "used an API token from a network that is new for it",
    target=Target("token", "token_id"),
)
@dataclass(frozen=True)
class TokenUsedFromNewNetwork:
    token_id: UUID
    network: str


@audited("audit.exported", "exported the audit log")
@dataclass(frozen=True)
class LogExported:
    form: str
    search: dict[str, str]


@audited("audit.retention_changed", "changed how long the audit log is kept")
@dataclass(frozen=True)
class DaysChanged:
    before: dict[str, int]
    after: dict[str, int]


@audited("audit.pruned", "removed entries beyond their retention", actor=_SYSTEM)
@dataclass(frozen=True)
class EntriesPruned:
    """`up_to` and `hash` are the anchor that the rest of the chain goes on from."""

    team_id: UUID | None
    up_to: int
    hash: str
    days: int
