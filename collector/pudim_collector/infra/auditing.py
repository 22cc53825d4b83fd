"""How a feature says which of its events belong into the audit log, each declared once, beside the event itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any, TypeVar

Event = TypeVar("Event")
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_ATTRIBUTE = "__audited_as__"
UNTOLD = "audit_untold"


class Result(StrEnum):
    """How what was tried ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Target:
    """What an action is done to: a kind, and the event's fields that hold its id and its name."""

    kind: str
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Actor:
    """Who does it where that is not whoever asks: a kind, and the event's fields that hold his id and his name."""

    kind: str
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Action:
    """One kind of entry. `words` complete "Ada ...". Fields that are not named here are the entry's details."""

    name: str
    words: str
    target: Target | None = None
    actor: Actor | None = None
    result: Result | Callable[[Any], Result] = Result.DONE
    of_installation: bool = False
    of_person: bool = False
    fields: tuple[str, ...] = ()


_actions: dict[str, Action] = {}


def audited(
    name: str,
    words: str,
    *,
    target: Target | None = None,
    actor: Actor | None = None,
    result: Result | Callable[[Any], Result] = Result.DONE,
    of_installation: bool = False,
    of_person: bool = False,
) -> Callable[[type[Event]], type[Event]]:
    """For an event's dataclass. `name` is `noun.verb`.

    An entry `of_installation` is in the installation's log. One `of_person` tells of a person's account, the one of the field
    `user_id`, else of who asks: it is in the log of each team that he is in, and in the installation's if he is in none.
    """

    def declare(event: type[Event]) -> type[Event]:
        known = tuple(one.name for one in fields(event))  # type: ignore[arg-type] # a dataclass, as its users are
        for part in (target, actor):
            named = {part.id, part.name} - {None} if part else set()
            if not named <= set(known):
                raise ValueError(f"{event.__name__} has no field {named - set(known)}")
        _register(Action(name, words, target, actor, result, of_installation, of_person, known))
        setattr(event, _ATTRIBUTE, name)
        return event

    return declare


def untold(why: str) -> dict[str, str]:
    """For a handler's `opt` whose method is no safe one although nothing is changed, as of a question in a body."""
    return {UNTOLD: why}


def action_of(event: object) -> Action | None:
    """None for an event that says nothing of the audit log."""
    name = getattr(type(event), _ATTRIBUTE, None)
    return None if name is None else _actions[name]


def actions() -> Mapping[str, Action]:
    """All that were declared by what is imported, by name."""
    return dict(sorted(_actions.items()))


def _register(action: Action) -> None:
    if not _NAME.fullmatch(action.name):
        raise ValueError(f"an action is named noun.verb, not {action.name!r}")
    if action.name in _actions:
        raise ValueError(f"the action {action.name} is declared twice")
    _actions[action.name] = action


def undeclared(event: object) -> Action:
    """What stands in for a declaration, so that an event which was forgotten is written all the same."""
    words = re.findall(r"[A-Z][a-z0-9]*", type(event).__name__) or ["Event"]
    known = tuple(one.name for one in fields(event)) if is_dataclass(event) else ()
    feature = type(event).__module__.split(".")[-2]
    return Action(f"{feature}.{'_'.join(words).lower()}", " ".join(words).lower(), fields=known)
