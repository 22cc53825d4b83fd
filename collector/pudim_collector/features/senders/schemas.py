"""Senders at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from pudim_collector.features.senders import rules
from pudim_collector.features.senders.queries import SenderRecord
from pudim_collector.features.senders.rules import sends_now

SeriesCap = Annotated[int, Meta(ge=1, le=rules.MOST_SERIES)]
ServersCap = Annotated[int, Meta(ge=1, le=rules.MOST_SERVERS)]


class Sender(Struct):
    """A program that brings metrics. `series` are those of the last ten minutes, 0 when it is quiet.

    `refused_points` counts since it was made; `refused_said` is why, the last time, and names what is too much.
    """

    id: UUID
    name: str
    prefix: str
    most_series: int
    most_servers: int
    created_at: datetime
    used_at: datetime | None
    series: int
    refused_points: int
    refused_at: datetime | None
    refused_said: str | None

    @classmethod
    def of(cls, record: SenderRecord, now: datetime) -> Sender:
        return cls(
            record.id,
            record.name,
            record.prefix,
            record.most_series,
            record.most_servers,
            record.created_at,
            record.used_at,
            record.series if sends_now(record.used_at, now) else 0,
            record.refused_points,
            record.refused_at,
            record.refused_said,
        )


class SenderPage(Struct):
    items: list[Sender]
    next_cursor: str | None = None


class SenderCaps(Struct, forbid_unknown_fields=True):
    """How many series it may have in a day, and how many servers it may make."""

    most_series: SeriesCap = rules.DEFAULT_SERIES
    most_servers: ServersCap = rules.DEFAULT_SERVERS


class NewSender(SenderCaps, forbid_unknown_fields=True, kw_only=True):
    """`name` is on each of its series, as the label `pudim.sender`."""

    name: Annotated[str, Meta(min_length=1, max_length=rules.LONGEST_NAME)]


class Snippets(Struct):
    """Lines to paste into what sends."""

    prometheus: str
    collector: str
    environment: str


class CreatedSender(Struct):
    """`token` is shown this once."""

    token: str
    sender: Sender
    snippets: Snippets


class SenderForm(Struct):
    """Caps as they are typed; csrf_token is checked by the gate."""

    name: str = ""
    most_series: str = ""
    most_servers: str = ""
    csrf_token: str = ""
