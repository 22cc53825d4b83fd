"""What happens to API tokens, for the audit log. No secret is ever part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited

_TOKEN = Target("token", "token_id", "name")


@audited("token.created", "made an API token", target=_TOKEN)
@dataclass(frozen=True)
class TokenCreated:
    token_id: UUID
    name: str
    kind: str
    after: Mapping[str, Any]


@audited("token.changed", "changed what an API token may", target=_TOKEN)
@dataclass(frozen=True)
class TokenChanged:
    token_id: UUID
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("token.renewed", "renewed an API token", target=_TOKEN)
@dataclass(frozen=True)
class TokenRenewed:
    """`overlap_seconds` is how long the secret that it had is still good."""

    token_id: UUID
    name: str
    overlap_seconds: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@audited("token.revoked", "revoked an API token", target=_TOKEN)
@dataclass(frozen=True)
class TokenRevoked:
    token_id: UUID
    name: str
