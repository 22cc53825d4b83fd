"""What happens to commands, for the security log."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Actor, Result, Target, audited


def _result(ended: CommandEnded) -> Result:
    """In the agents' own words for it."""
    known = {"done": Result.DONE, "refused": Result.REFUSED}
    return known.get(ended.outcome, Result.FAILED)


@audited("command.asked", "asked a host to do something", target=Target("server", "server_id"))
@dataclass(frozen=True)
class CommandAsked:
    command_id: UUID
    server_id: UUID
    action: str
    actor: str


@audited(
    "command.ended",
    "answered a command",
    target=Target("command", "command_id"),
    actor=Actor("agent", "server_id"),
    result=_result,
)
@dataclass(frozen=True)
class CommandEnded:
    command_id: UUID | None
    server_id: UUID
    outcome: str
    code: str


@audited(
    "command.chain_broken",
    "sent reports that do not follow one another",
    target=Target("server", "server_id"),
    actor=Actor("agent", "server_id"),
    result=Result.FAILED,
)
@dataclass(frozen=True)
class ChainBroken:
    server_id: UUID
    how: str
