"""The audit log at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from pudim_collector.features.audit import rules
from pudim_collector.features.audit.rules import Bar, Linked, Search
from pudim_collector.infra.auth import PermissionMissingError, Principal

_LONGEST = rules.LONGEST_NAME
Words = Annotated[
    str, QueryParameter(max_length=_LONGEST, description="Beginnings of words that are all in the entry.")
]
Who = Annotated[
    str, QueryParameter(max_length=_LONGEST, description="Who did it: an id, or the whole name as it was.")
]
What = Annotated[
    str, QueryParameter(max_length=_LONGEST, description="The action's name, such as server.changed.")
]
ToWhat = Annotated[
    str, QueryParameter(max_length=_LONGEST, description="What it was done to: an id, or the whole name.")
]
How = Annotated[
    str, QueryParameter(pattern="^(|done|refused|failed)$", description="done, refused or failed.")
]
From = Annotated[str, QueryParameter(max_length=64, description="The address it came from.")]
Since = Annotated[str, QueryParameter(max_length=64, description="The first instant, or day, in UTC.")]
Until = Annotated[
    str, QueryParameter(max_length=64, description="The first instant, or day, that is not meant any more.")
]
Of = Annotated[
    str,
    QueryParameter(
        pattern="^(team|installation)$", description="Whose log: the team's, or the installation's own."
    ),
]


class AuditEntry(Struct):
    """One thing that was done, refused or failed; `hash` covers the entry and the hash of the one before it."""

    sequence: int
    at: datetime
    result: str
    action: str
    words: str
    actor_kind: str
    actor_id: str | None
    actor_name: str
    target_kind: str | None
    target_id: str | None
    target_name: str | None
    address: str
    user_agent: str
    credential: str | None
    request_id: str | None
    before: Any
    after: Any
    hash: str

    @classmethod
    def of(cls, one: Linked, words: str) -> AuditEntry:
        entry = one.entry
        return cls(
            one.sequence,
            entry.at,
            str(entry.result),
            entry.action,
            words,
            entry.actor_kind,
            entry.actor_id,
            entry.actor_name,
            entry.target_kind,
            entry.target_id,
            entry.target_name,
            entry.address,
            entry.user_agent,
            entry.credential,
            entry.request_id,
            entry.before,
            entry.after,
            one.hash.hex(),
        )


class AuditPage(Struct):
    items: list[AuditEntry]
    next_cursor: str | None


class AuditBar(Struct):
    """How many entries there are from `since` until before `until`."""

    since: datetime
    until: datetime
    count: int

    @classmethod
    def of(cls, bar: Bar) -> AuditBar:
        return cls(bar.since, bar.until, bar.count)


class AuditHistogram(Struct):
    bars: list[AuditBar]


class AuditAction(Struct):
    name: str
    words: str
    fields: list[str]


class AuditActionPage(Struct):
    items: list[AuditAction]
    next_cursor: str | None = None


class AuditSettings(Struct):
    """`bytes` are those of all teams' entries together, with their indexes."""

    days: int
    bytes: int


class AuditDays(Struct, forbid_unknown_fields=True):
    days: int


class DaysForm(Struct):
    """csrf_token is checked by the gate."""

    days: Annotated[str, Meta(max_length=8)] = ""
    csrf_token: str = ""


class Question(NamedTuple):
    """Whose log is searched, and for what."""

    chain: UUID
    search: Search


def chain_of(principal: Principal, of: str) -> UUID:
    """Whose log is asked for. Raises PermissionMissingError."""
    if of != "installation":
        return principal.team_id
    if not principal.may("installation:audit"):
        raise PermissionMissingError("installation:audit")
    return rules.INSTALLATION


def search_of(**asked: str | None) -> Search:
    """Raises BadSearch."""
    return Search(
        rules.words_of(asked.get("q") or ""),
        asked.get("actor") or None,
        asked.get("action") or None,
        asked.get("target") or None,
        _result(asked.get("result")),
        asked.get("address") or None,
        rules.moment(asked.get("since"), "since"),
        rules.moment(asked.get("until"), "until"),
    )


def question(  # noqa: PLR0917 - one argument a filter
    principal: NamedDependency[Principal],
    q: Words = "",
    actor: Who = "",
    action: What = "",
    target: ToWhat = "",
    result: How = "",
    address: From = "",
    since: Since = "",
    until: Until = "",
    of: Of = "team",
) -> Question:
    """A dependency: what is looked for, and in whose log. Raises BadSearch, PermissionMissingError."""
    search = search_of(q=q, actor=actor, action=action, target=target, result=result, address=address, since=since, until=until)  # fmt: skip
    return Question(chain_of(principal, of), search)


def _result(text: str | None) -> str | None:
    if text and text not in {"done", "refused", "failed"}:
        raise rules.BadSearch("result", "A result is done, refused or failed.")
    return text or None
