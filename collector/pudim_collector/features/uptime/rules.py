"""What a check may be, how its secrets are kept apart, and what its newest result is worth: values in, values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, get_type_hints
from uuid import UUID

from pudim.checks import checks
from pudim.checks.reading import BadCheck, Fault, read

LONGEST_NAME = 128
MOST_CHECKS = 100
"""Of one server."""
MOST_BYTES = 1 << 19
"""Of one server's checks, as they travel to its agent: half of the largest message."""
DEFAULT_INTERVAL, DEFAULT_TIMEOUT = 60.0, 10.0
_SLACK = timedelta(minutes=1)
"""By which an agent's clock may be wrong."""
_TYPES = {bool: "flag", int: "whole", float: "number", str: "text", tuple[str, ...]: "texts"}


class CheckState(StrEnum):
    """What is shown of a check: its result while that holds, else why there is none."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    PENDING = "pending"
    PAUSED = "paused"


@dataclass(frozen=True)
class Draft:
    """A check as somebody defines it; `settings` hold secrets."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    interval: float = DEFAULT_INTERVAL
    timeout: float = DEFAULT_TIMEOUT
    enabled: bool = True

    def document(self, check_id: UUID) -> dict[str, Any]:
        """As it is sent to the agent."""
        return {
            "id": str(check_id),
            "kind": self.kind,
            "interval": self.interval,
            "timeout": self.timeout,
            "settings": dict(self.settings),
        }


@dataclass(frozen=True)
class Result:
    """What an agent told last of a check. `detail` is a stranger's text."""

    status: str
    since: datetime | None = None
    at: datetime | None = None
    duration: float | None = None
    detail: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Setting:
    """What a form, and who uses the API, must know of one setting."""

    name: str
    type: str
    label: str
    help: str
    default: Any
    required: bool
    secret: bool
    lines: bool
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    longest: int


def checked(draft: Draft, check_id: UUID) -> Draft:
    """The draft as it is kept. Raises BadCheck with every fault."""
    faults: list[Fault] = []
    name = draft.name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        faults.append(
            Fault("name", f"must have 1 to {LONGEST_NAME} characters, none of them control characters")
        )
    try:
        read(draft.document(check_id))
    except BadCheck as bad:
        faults.extend(bad.faults)
    if faults:
        raise BadCheck(faults)
    return replace(draft, name=name)


def settings_of(kind: str) -> Iterator[Setting]:
    """Raises KeyError."""
    config = checks[kind].Config
    types = get_type_hints(config)
    for one in fields(config):
        about = one.metadata
        yield Setting(
            one.name,
            _TYPES[types[one.name]],
            about["label"],
            about["help"],
            None if one.default is MISSING else one.default,
            about["required"],
            about["secret"],
            about["lines"],
            about["choices"],
            about["low"],
            about["high"],
            about["longest"],
        )


def apart(kind: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that anybody may see, and the secret ones. Empty secrets are none."""
    secret = {one.name for one in settings_of(kind) if one.secret}
    open_ = {name: value for name, value in settings.items() if name not in secret}
    return open_, {name: value for name, value in settings.items() if name in secret and value}


def with_secrets(kind: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """New settings, in which a secret that is not mentioned stays as it is known: nobody can see it to repeat it."""
    secret = {one.name for one in settings_of(kind) if one.secret}
    kept = {name: value for name, value in known.items() if name in secret and name not in given}
    return {**given, **kept}


def state(draft: Draft, result: Result | None, now: datetime, *, silent: bool) -> CheckState:
    """A result that is too old to hold is unknown, as is everything that a silent agent told."""
    if not draft.enabled:
        return CheckState.PAUSED
    if result is None or (result.at is None and result.code == CheckState.PENDING):
        return CheckState.PENDING
    if result.at is None or silent or now - result.at > _lasts(draft):
        return CheckState.UNKNOWN
    return CheckState(result.status) if result.status in set(CheckState) else CheckState.UNKNOWN


def _lasts(draft: Draft) -> timedelta:
    """Two runs may fail to come before nobody knows any more."""
    return timedelta(seconds=2 * draft.interval + draft.timeout) + _SLACK


def typed(kind: str, form: Mapping[str, str]) -> dict[str, Any]:
    """Settings as a form gives them; empty ones are left to their defaults, and what is no number stays a text.

    Raises KeyError.
    """
    found: dict[str, Any] = {}
    for one in settings_of(kind):
        text = form.get(one.name, "")
        if one.type == "flag":
            found[one.name] = text == "yes"
        elif text.strip():
            found[one.name] = _typed(one, text)
    return found


def _typed(one: Setting, text: str) -> Any:
    if one.type == "texts":
        return [line.strip() for line in text.splitlines() if line.strip()]
    try:
        return {"whole": int, "number": float}[one.type](text) if one.type != "text" else _plain(one, text)
    except ValueError:
        return text


def _plain(one: Setting, text: str) -> str:
    """Browsers send line ends of their own kind."""
    return text.replace("\r\n", "\n").strip("\n") if one.lines else text.strip()
