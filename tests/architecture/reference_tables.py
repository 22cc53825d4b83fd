"""Tables of the reference pages, rendered from the code they describe.

`python -m tests.architecture.reference_tables` writes them into the pages; a test fails while they differ.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import get_type_hints

from litestar.params import QueryParameter

from pudim.vocabulary.metrics import METRICS
from pudim.wire import batches, codec, handshake, layouts, messages
from pudim.wire.refusals import BY_CODE
from pudim_collector.app import operating
from pudim_collector.app.features import FEATURES, PERMISSIONS
from pudim_collector.features.metrics.routes import MetricsApi
from pudim_collector.features.metrics.rules import LONGEST_RANGE, BadRange, BadTime
from pudim_collector.features.senders import rules as senders
from pudim_collector.infra.auditing import Action, actions
from pudim_collector.infra.database.read_pool import STATEMENT_TIMEOUT, QueryTimeout
from pudim_collector.infra.permissions import BUILT_IN, Rights
from pudim_collector.ingest.outside import endpoint, exponential, labels, otlp, samples
from pudim_collector.ingest.outside.refusals import PartRefusal, PushRefusal
from pudim_collector.series import limits as reading
from pudim_collector.series.answering import BadQuestion
from pudim_collector.series.selecting import LONGEST_PATTERN, BadMatcher
from tests.architecture.codebase import ROOT
from tests.architecture.command_tables import commands

PAGES = (
    "docs/reference/wire.md",
    "docs/reference/metrics.md",
    "docs/reference/push.md",
    "docs/reference/query.md",
    "docs/reference/commands.md",
    "docs/reference/audit.md",
    "docs/guides/teams.md",
)
QUERY_REFUSALS = (
    BadTime,
    BadRange,
    BadMatcher,
    BadQuestion,
    reading.TooManySeries,
    reading.TooManyPoints,
    reading.TooMuchTouched,
    QueryTimeout,
)
COMMAND = ".venv/bin/python -m tests.architecture.reference_tables"
_GENERATED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(head: str, rows: Iterable[Iterable[object]]) -> str:
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|---" * columns + "|", *(f"| {' | '.join(map(str, row))} |" for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _refusals() -> str:
    return _table(
        "code | status | retry | ends the session | meaning",
        (
            (
                f"`{code}`",
                one.status,
                _yes(one.retry),
                _yes(one.ends_session),
                (one.__doc__ or "").splitlines()[0],
            )
            for code, one in sorted(BY_CODE.items())
        ),
    )


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _limits() -> str:
    return _table(
        "at most | of",
        (
            (codec.MAX_MESSAGE_BYTES, "bytes of a sealed message"),
            (handshake.MAX_HELLO_BYTES, "bytes of a Hello"),
            (codec.MAX_ITEMS, "items of any list or map, hence layouts and sources of one Declare"),
            (layouts.MAX_SERIES, "series of a layout"),
            (layouts.MAX_LABELS, "labels of a series or source, and facts"),
            (layouts.MAX_TEXT, "characters of a name, unit, label or fact; none is NUL"),
            (batches.MAX_BLOCKS, "blocks of a batch"),
            (batches.MAX_SEQ, "as `seq`"),
            (batches.MAX_TIME, "as `sent_at`"),
            (messages.MAX_PERIOD, "milliseconds as `interval` or `delay`"),
        ),
    )


def _metrics() -> str:
    return _table(
        "name | unit | kind | labels | meaning",
        (
            (
                f"`{one.name}`",
                f"`{one.unit}`",
                one.kind.value,
                ", ".join(f"`{label}`" for label in one.labels) or "-",
                one.description,
            )
            for one in METRICS.values()
        ),
    )


def _push_refusals() -> str:
    kinds = [(PushRefusal, "all"), (PartRefusal, "a part")]
    return _table(
        "code | refuses | status | retry | meaning",
        (
            (f"`{one.code}`", what, one.status, _yes(one.retry), (one.__doc__ or "").splitlines()[0])
            for base, what in kinds
            for one in sorted(base.__subclasses__(), key=lambda one: one.code)
        ),
    )


def _push_limits() -> str:
    return _table(
        "at most | of",
        (
            (endpoint.MAX_BODY_BYTES, "bytes of a body, as it is sent and once it is plain"),
            (otlp.MAX_JSON_BYTES, "bytes of a body in JSON"),
            (endpoint.MAX_HELD_BYTES, "bytes of all bodies that are being received by a process"),
            (int(endpoint.BODY_SECONDS), "seconds until a body is whole"),
            (samples.MAX_SAMPLES, "samples, and data points, of a request"),
            (labels.MAX_LABELS, "labels of a series, those of its target included"),
            (labels.MAX_NAME, "characters of a metric's name"),
            (labels.MAX_KEY, "characters of a label's key"),
            (labels.MAX_VALUE, "characters of a label's value"),
            (labels.MAX_UNIT, "characters of a unit"),
            (exponential.MAX_BUCKETS, "bounds of a histogram, and quantiles of a summary"),
            (senders.DEFAULT_SERIES, "series of a sender in a day, unless its token says otherwise"),
            (senders.DEFAULT_SERVERS, "servers that a sender makes, unless its token says otherwise"),
        ),
    )


def _query() -> str:
    asked = MetricsApi.series.fn
    hints = get_type_hints(asked, include_extras=True)
    return _table(
        "parameter | by default | meaning",
        (
            (f"`{said.name or name}`", _default(one.default), said.description)
            for name, one in inspect.signature(asked).parameters.items()
            for said in getattr(hints.get(name), "__metadata__", ())
            if isinstance(said, QueryParameter)
        ),
    )


def _default(value: object) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return "-" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _query_limits() -> str:
    return _table(
        "at most | of",
        (
            (reading.MAX_SERIES, "series of one question"),
            (reading.MAX_RANKED, "series whose latest values are ranked"),
            (reading.MAX_POINTS, "buckets of a series"),
            (reading.MAX_CELLS, "buckets of one answer"),
            (
                reading.MAX_ROWS,
                "samples or rollups that one answer is made of, as if each source had a frame in 10 s",
            ),
            (int(STATEMENT_TIMEOUT.total_seconds()), "seconds of a statement"),
            (LONGEST_RANGE.days, "days of a range"),
            (LONGEST_PATTERN, "characters of a pattern"),
        ),
    )


def _query_refusals() -> str:
    return _table(
        "code | status | meaning | what to do",
        (
            (f"`{one.code}`", one.status, (one.__doc__ or "").splitlines()[0], one.hint or "-")
            for one in QUERY_REFUSALS
        ),
    )


def _built_in_roles() -> str:
    rights = Rights(PERMISSIONS)
    rows = [
        (f"`{name}`", one.words, *("yes" if name in rights.of(role) else "" for role in BUILT_IN))
        for name, one in sorted(rights.declared.items())
        if name in rights.grantable
    ]
    return _table(" | ".join(("permission", "allows", *BUILT_IN)), rows)


def _audit_actions() -> str:
    """Declared by what the features and the operator's commands import, which is why they are imported here."""
    assert FEATURES, operating

    def fields(one: Action) -> str:
        return ", ".join(f"`{name}`" for name in one.fields) or "-"

    def log(one: Action) -> str:
        teams = "the person's teams" if one.of_person else "team"
        return ("installation" + (" and " + teams) * one.of_person) if one.of_installation else teams

    return _table(
        "action | meaning: who did it ... | log | fields",
        ((f"`{name}`", one.words, log(one), fields(one)) for name, one in actions().items()),
    )


_RENDER: dict[str, Callable[[], str]] = {
    "refusals": _refusals,
    "limits": _limits,
    "metrics": _metrics,
    "push_refusals": _push_refusals,
    "push_limits": _push_limits,
    "query": _query,
    "query_limits": _query_limits,
    "query_refusals": _query_refusals,
    "commands": commands,
    "audit_actions": _audit_actions,
    "built_in_roles": _built_in_roles,
}


def rendered(page: str) -> str:
    """The page's text with every generated table as it should be."""
    return _GENERATED.sub(lambda found: found[1] + _RENDER[found[2]]() + found[3], page)


def write(root: Path = ROOT) -> None:
    for page in PAGES:
        path = root / page
        path.write_text(rendered(path.read_text()))


if __name__ == "__main__":
    write()
