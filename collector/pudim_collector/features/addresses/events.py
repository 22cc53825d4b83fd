"""What happens to lists of addresses, for the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pudim_collector.infra.auditing import Target, audited


@audited("addresses.changed", "changed from which addresses the team may be used")
@dataclass(frozen=True)
class TeamAddressesChanged:
    before: Mapping[str, Sequence[str]]
    after: Mapping[str, Sequence[str]]


@audited(
    "token.addresses_changed",
    "changed from which addresses a token may be used",
    target=Target("token", "token_id", "name"),
)
@dataclass(frozen=True)
class TokenAddressesChanged:
    token_id: UUID
    name: str
    before: Mapping[str, Sequence[str]]
    after: Mapping[str, Sequence[str]]
