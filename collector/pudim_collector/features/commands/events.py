"""What happens to commands, for the security log."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class CommandAsked:
    command_id: UUID
    server_id: UUID
    action: str
    actor: str


@dataclass(frozen=True)
class CommandEnded:
    command_id: UUID | None
    server_id: UUID
    outcome: str
    code: str


@dataclass(frozen=True)
class ChainBroken:
    server_id: UUID
    how: str
