"""What is going to end, at the HTTP edge."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from pudim_collector.infra.api.deprecation import Deprecated, Use


class DeprecatedUse(Struct):
    """How often one API token or user of your team asked for it."""

    asker_kind: str
    asker: UUID
    asker_name: str
    uses: int
    first_at: datetime
    last_at: datetime


class DeprecatedOperation(Struct):
    """An operation that is going to end at `ends` (null: not decided), what to use `instead`, and who still uses it."""

    operation: str
    method: str
    path: str
    since: datetime
    ends: datetime | None
    instead: str | None
    used_by: list[DeprecatedUse]

    @classmethod
    def of(cls, one: Deprecated, uses: Iterable[Use]) -> DeprecatedOperation:
        used_by = [
            convert(use, DeprecatedUse, from_attributes=True)
            for use in uses
            if use.operation == one.operation
        ]
        said = one.said
        return cls(one.operation, one.method, one.path, said.since, said.ends, said.instead, used_by)


class DeprecatedOperationPage(Struct):
    items: list[DeprecatedOperation]
    next_cursor: str | None = None
