"""Questions for the reader, as short as a test wants them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pudim_collector.series.answering import Question
from pudim_collector.series.selecting import Selector, parse_matcher


def asked(
    metric: str, servers: Sequence[UUID] | None, start: datetime, end: datetime, *where: str, **more: Any
) -> Question:
    selector = Selector(
        (metric,),
        None if servers is None else frozenset(servers),
        tuple(parse_matcher(matcher) for matcher in where),
    )
    return Question(selector, start, end, **more)
