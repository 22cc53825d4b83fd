"""Checks at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from pudim.checks import LONGEST_INTERVAL, LONGEST_TIMEOUT, SHORTEST_INTERVAL, SHORTEST_TIMEOUT, checks
from pudim_collector.features.uptime import rules
from pudim_collector.features.uptime.rules import CheckState, Draft
from pudim_collector.features.uptime.service import CheckView

CheckName = Annotated[str, Meta(min_length=1, max_length=rules.LONGEST_NAME)]
CheckInterval = Annotated[float, Meta(ge=SHORTEST_INTERVAL, le=LONGEST_INTERVAL)]
CheckTimeout = Annotated[float, Meta(ge=SHORTEST_TIMEOUT, le=LONGEST_TIMEOUT)]


class Check(Struct):
    """What is checked from a server, every `interval` seconds, and what was found last.

    `status` is up, down, unknown, pending (not run yet) or paused; an agent that is silent makes it unknown.
    `since` it is so, by the agent's clock. `secrets` names secret settings that are set; they are never shown.
    """

    id: UUID
    name: str
    kind: str
    interval: float
    timeout: float
    enabled: bool
    settings: dict[str, Any]
    secrets: list[str]
    created_at: datetime
    status: CheckState
    since: datetime | None
    at: datetime | None
    duration: float | None
    detail: str | None
    code: str | None

    @classmethod
    def of(cls, view: CheckView) -> Check:
        draft, result = view.draft, view.result
        return cls(
            view.id,
            draft.name,
            draft.kind,
            draft.interval,
            draft.timeout,
            draft.enabled,
            view.settings,
            list(view.secrets),
            view.created_at,
            view.state,
            result.since if result else None,
            result.at if result else None,
            result.duration if result else None,
            result.detail if result else None,
            result.code if result else None,
        )


class CheckPage(Struct):
    items: list[Check]
    next_cursor: str | None = None


class NewCheck(Struct, forbid_unknown_fields=True):
    """`settings` are those of the kind, see `list_check_kinds`."""

    name: CheckName
    kind: Annotated[str, Meta(min_length=1, max_length=64)]
    settings: dict[str, Any]
    interval: CheckInterval = rules.DEFAULT_INTERVAL
    timeout: CheckTimeout = rules.DEFAULT_TIMEOUT
    enabled: bool = True

    def draft(self) -> Draft:
        return Draft(self.name, self.kind, self.settings, self.interval, self.timeout, self.enabled)


class CheckChanges(Struct, forbid_unknown_fields=True):
    """What is left out stays. `settings` replace all but secret ones, which stay until they are given or emptied."""

    name: CheckName | None = None
    settings: dict[str, Any] | None = None
    interval: CheckInterval | None = None
    timeout: CheckTimeout | None = None
    enabled: bool | None = None


class CheckSetting(Struct):
    """`type` is text, texts (a list), whole, number or flag."""

    name: str
    type: str
    label: str
    help: str
    default: Any
    required: bool
    secret: bool
    choices: list[str]
    low: float | None
    high: float | None
    longest: int


class CheckKind(Struct):
    kind: str
    title: str
    help: str
    settings: list[CheckSetting]


class CheckKindPage(Struct):
    items: list[CheckKind]
    next_cursor: str | None = None


def all_kinds() -> list[CheckKind]:
    return [_kind(kind) for kind in sorted(checks)]


def _kind(kind: str) -> CheckKind:
    settings = [
        CheckSetting(
            one.name,
            one.type,
            one.label,
            one.help,
            list(one.default) if isinstance(one.default, tuple) else one.default,
            one.required,
            one.secret,
            list(one.choices),
            one.low,
            one.high,
            one.longest,
        )
        for one in rules.settings_of(kind)
    ]
    return CheckKind(kind, checks[kind].title, checks[kind].help, settings)
