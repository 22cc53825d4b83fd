"""What may be asked, for how long, and whether a report goes on where the one before it ended: values in, answers out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pudim.vocabulary.errors import PudimError
from pudim.wire.commands import MAX_ARGS, NOTHING_BEFORE, Report

WAIT = timedelta(minutes=10)
"""A command for a host that is not connected is given up after so long."""
LIFE = timedelta(seconds=60)
"""A signed command is good for so long; no agent takes one that is good for more than two minutes."""
ANSWERS_WITHIN = timedelta(minutes=7)
"""After its signature has run out, the longest action still needs its own time."""
MOST_WAITING = 8
"""Commands of one server that were not sent yet."""
KEPT_COMMANDS = 500
KEPT_REPORTS = 500
LONGEST_WORD = 64
LONGEST_TEXT = 12_000
Args = Mapping[str, Any]


class BadCommand(PudimError):
    """An action is a short word, and its arguments are few, named, and texts, whole numbers or true and false."""

    code = "bad_command"
    status = 422


class TooManyWaiting(PudimError):
    """Commands wait for this server already, as many as may."""

    code = "commands_waiting"
    status = 409
    hint = "They are sent when its agent connects, or given up after ten minutes."


class HasNoAgent(PudimError):
    """This server has no agent that could do anything."""

    code = "no_agent"
    status = 409


class NotAllowedByHost(PudimError):
    """The host's own policy does not allow this."""

    code = "not_allowed_by_host"
    status = 409
    hint = "Its administrator may, in /etc/pudim/policy.toml on the host."


class NothingNewer(PudimError):
    """This collector has no agent to give that this host could change to."""

    code = "nothing_newer"
    status = 409
    hint = "Give it one with `pudim admin agent-bundle`."


class Status(StrEnum):
    """Of a command: waiting, then sent; in the end done, failed, refused by its host, or expired."""

    WAITING = "waiting"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"


def check(action: str, args: Args) -> None:
    """Raises BadCommand. Whether the action has these arguments is for the host to say."""
    if not action or len(action) > LONGEST_WORD or not action.isidentifier():
        raise BadCommand
    if len(args) > MAX_ARGS or not all(map(_is_argument, args.items())):
        raise BadCommand


def _is_argument(item: tuple[Any, Any]) -> bool:
    name, value = item
    if not isinstance(name, str) or not name.isidentifier() or len(name) > LONGEST_WORD:
        return False
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT and value.isprintable()
    return isinstance(value, int) and abs(value) < 2**62


def status(
    outcome: str | None,
    wait_until: datetime,
    expires_at: datetime | None,
    now: datetime,
) -> Status:
    """`expires_at` is None until it was sent. What a host reports late counts all the same."""
    if outcome is not None:
        return Status(outcome)
    if expires_at is None:
        return Status.WAITING if now < wait_until else Status.EXPIRED
    return Status.SENT if now < expires_at + ANSWERS_WITHIN else Status.EXPIRED


def next_sequence(last: int, now: datetime) -> int:
    """Never one that was used, even by a collector whose database was since restored from a backup: time went on."""
    return max(last + 1, int(now.timestamp() * 1000))


@dataclass(frozen=True)
class Chain:
    """Where an agent's reports are: the newest number and digest."""

    reports: int = 0
    head: bytes = NOTHING_BEFORE


def fault_of(chain: Chain, report: Report) -> str | None:
    """What is wrong with a report's place; None where it is the next one."""
    if report.sequence == chain.reports + 1:
        return (
            None
            if report.previous == chain.head
            else "the report before it is another one than that which came"
        )
    if report.sequence <= chain.reports:
        return "its number was used before: the agent's state was rolled back, or somebody else has its key"
    missing = report.sequence - chain.reports - 1
    return f"{missing} reports before it never came"
