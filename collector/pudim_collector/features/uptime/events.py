"""What happens to checks, for the security log: who defines one chooses what an agent connects to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class CheckCreated:
    check_id: UUID
    server_id: UUID
    kind: str
    by: UUID


@dataclass(frozen=True)
class CheckChanged:
    check_id: UUID
    server_id: UUID
    by: UUID


@dataclass(frozen=True)
class CheckRemoved:
    check_id: UUID
    server_id: UUID
    by: UUID
