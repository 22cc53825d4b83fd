"""Tables of the reference pages, rendered from the code they describe.

`python -m tests.architecture.reference_tables` writes them into the pages; a test fails while they differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from pudim.vocabulary.metrics import METRICS
from pudim.wire import batches, codec, handshake, layouts, messages
from pudim.wire.refusals import BY_CODE
from pudim_collector.features.senders import rules as senders
from pudim_collector.ingest.outside import endpoint, exponential, labels, otlp, samples
from pudim_collector.ingest.outside.refusals import PartRefusal, PushRefusal
from tests.architecture.codebase import ROOT

PAGES = ("docs/reference/wire.md", "docs/reference/metrics.md", "docs/reference/push.md")
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


_RENDER: dict[str, Callable[[], str]] = {
    "refusals": _refusals,
    "limits": _limits,
    "metrics": _metrics,
    "push_refusals": _push_refusals,
    "push_limits": _push_limits,
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
