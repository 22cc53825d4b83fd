"""What happens to checks, for the security log: who defines one chooses what an agent connects to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_CHECK = Target("check", "check_id", "name")


@audited("check.created", "let a server's agent check something", target=_CHECK)
@dataclass(frozen=True)
class CheckCreated:
    check_id: UUID
    server_id: UUID
    name: str
    kind: str
    by: UUID


@audited("check.changed", "changed a check", target=_CHECK)
@dataclass(frozen=True)
class CheckChanged:
    """Secret settings are in neither `before` nor `after`."""

    check_id: UUID
    server_id: UUID
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    by: UUID


@audited("check.removed", "removed a check", target=_CHECK)
@dataclass(frozen=True)
class CheckRemoved:
    check_id: UUID
    server_id: UUID
    name: str
    by: UUID
