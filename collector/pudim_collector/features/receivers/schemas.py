"""Receivers of audit entries at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.receivers import rules
from pudim_collector.features.receivers.queries import Receiver


class AuditReceiver(Struct):
    """`sequence` is the last entry that it has; `failing_since` is null while it takes what it is sent."""

    id: UUID
    name: str
    kind: str
    address: str
    sequence: int
    created_at: datetime
    sent_at: datetime | None
    failing_since: datetime | None
    last_error: str | None

    @classmethod
    def of(cls, one: Receiver) -> AuditReceiver:
        return cls(
            one.id,
            one.name,
            one.kind,
            rules.address_of(one.kind, one.settings),
            one.sequence,
            one.created_at,
            one.sent_at,
            one.failing_since,
            one.last_error,
        )


class AuditReceiverPage(Struct):
    items: list[AuditReceiver]
    next_cursor: str | None = None


class NewAuditReceiver(Struct, forbid_unknown_fields=True):
    """For syslog `host` and `port`, for a webhook `url`. With `from_start` it gets all that is kept."""

    name: Annotated[str, Meta(max_length=128)]
    kind: Annotated[str, Meta(max_length=32)]
    host: Annotated[str, Meta(max_length=253)] = ""
    port: int = 6514
    url: Annotated[str, Meta(max_length=2_000)] = ""
    from_start: bool = False


class ReceiverForm(Struct):
    """csrf_token is checked by the gate."""

    name: Annotated[str, Meta(max_length=128)] = ""
    kind: Annotated[str, Meta(max_length=32)] = ""
    where: Annotated[str, Meta(max_length=2_000)] = ""
    csrf_token: str = ""

    def settings(self) -> dict[str, Any]:
        """What was typed, as the kind needs it; the rules say what is wrong with it."""
        if self.kind == rules.WEBHOOK:
            return {"url": self.where}
        host, _, port = self.where.strip().rpartition(":")
        number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else None  # noqa: PLR2004
        return {"host": host.strip("[]"), "port": number}
