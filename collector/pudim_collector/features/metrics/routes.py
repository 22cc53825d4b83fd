"""Metrics in the API."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pudim_collector.features.metrics.rules import BadRange, BadTime, parse_range
from pudim_collector.features.metrics.schemas import (
    ALL_COLUMNS,
    Charts,
    Column,
    Label,
    LabelPage,
    LatestSample,
    Metric,
    MetricPage,
    SeriesRange,
    TopSample,
)
from pudim_collector.features.metrics.service import Metrics
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import requires
from pudim_collector.infra.database.read_pool import QueryTimeout
from pudim_collector.infra.disconnect import while_connected
from pudim_collector.infra.rate_limits.metering import limited
from pudim_collector.infra.rate_limits.rules import Action
from pudim_collector.infra.scoping import NoSuchServer, Scope
from pudim_collector.series.answering import BadQuestion, Question, Rank
from pudim_collector.series.combining import Aggregate, RankBy
from pudim_collector.series.limits import MAX_POINTS, TooManyPoints, TooManySeries, TooMuchTouched
from pudim_collector.series.percentiles import SUFFIXES
from pudim_collector.series.selecting import BadMatcher

Asked = Request[Any, Any, Any]
TIME_HELP = "ISO 8601, Unix seconds, `now`, or relative such as `-15m`, `-6h`, `-7d`."
_TEXT = r"^[^\x00]*$"
_MOST_SERVERS = 500
_MOST_METRICS = 200
_MOST_WORDS = 20
_MOST_RANKED = 1_000
_MOST_VALUES = 1_000
_LONGEST_STEP = 366 * 86_400
MetricName = Annotated[
    str,
    QueryParameter(min_length=1, max_length=256, pattern=_TEXT, description="OpenTelemetry metric name."),
]
MetricNames = Annotated[
    list[str],
    QueryParameter(
        name="metric", min_items=1, max_items=_MOST_METRICS, description="Metric names; repeat for several."
    ),
]
Start = Annotated[str, QueryParameter(name="from", max_length=64, description=TIME_HELP)]
End = Annotated[str, QueryParameter(name="to", max_length=64, description=TIME_HELP)]
Points = Annotated[
    int, QueryParameter(ge=1, le=MAX_POINTS, description="At most this many buckets a series.")
]
Step = Annotated[
    int | None,
    QueryParameter(ge=1, le=_LONGEST_STEP, description="Seconds of a bucket, instead of `points`."),
]
ServerIds = Annotated[
    list[UUID] | None,
    QueryParameter(
        name="server", max_items=_MOST_SERVERS, description="Repeat for several; all if left out."
    ),
]
Tags = Annotated[
    list[str] | None,
    QueryParameter(
        name="tag",
        max_items=_MOST_WORDS,
        description="Only servers with this tag; repeat for all of several.",
    ),
]
Where = Annotated[
    list[str] | None,
    QueryParameter(
        name="where",
        max_items=_MOST_WORDS,
        description="Label matcher: `name=value`, `name!=value`, `name=~pattern`, `name!~pattern`; repeat for all of several.",
    ),
]
By = Annotated[
    list[str] | None,
    QueryParameter(
        name="by",
        max_items=_MOST_WORDS,
        description="Labels, or `server`, whose values stay apart when series are combined.",
    ),
]
Combine = Annotated[
    Aggregate | None, QueryParameter(description="One series out of several, bucket by bucket.")
]
Share = Annotated[
    float | None,
    QueryParameter(
        ge=0,
        le=1,
        description="Percentile of a histogram, as a share: 0.95. Its metric may be named without `.bucket`.",
    ),
]
PerSecond = Annotated[bool, QueryParameter(description="What a cumulative counter gains a second.")]
Most = Annotated[
    int | None,
    QueryParameter(ge=1, le=_MOST_RANKED, description="Only so many series, those with the highest figures."),
]
Fewest = Annotated[
    int | None,
    QueryParameter(ge=1, le=_MOST_RANKED, description="Only so many series, those with the lowest figures."),
]
Figure = Annotated[RankBy, QueryParameter(description="The figure of the range by which series are ranked.")]

Columns = Annotated[
    list[Column] | None,
    QueryParameter(
        name="column",
        description="Only these figures of each bucket; repeat for several, all if left out.",
    ),
]

_QUERY_REFUSALS = (
    NoSuchServer,
    BadMatcher,
    BadTime,
    BadRange,
    BadQuestion,
    TooManySeries,
    TooManyPoints,
    TooMuchTouched,
    QueryTimeout,
)


class Order(StrEnum):
    """Whether the highest values come first, or the lowest."""

    DESC = "desc"
    ASC = "asc"


class MetricsApi(Controller):
    path = "/api/v2"
    tags = ("Metrics",)

    @get(
        "/servers/{server_id:uuid}/latest",
        opt=requires("servers:read", on="server_id"),
        operation_id="latest_samples",
    )
    async def latest(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        metrics: NamedDependency[Metrics],
    ) -> list[LatestSample]:
        """The newest sample of each of a server's series, not older than five minutes."""
        return [LatestSample.of(latest) for latest in await metrics.latest(within, server_id)]

    @get(
        "/series",
        opt=requires("servers:read", each=True) | limited(Action.QUERY) | refuses(*_QUERY_REFUSALS),
        operation_id="read_series",
    )
    async def series(  # noqa: PLR0917 - one argument a parameter of the query
        self,
        request: Asked,
        metrics: NamedDependency[Metrics],
        within: NamedDependency[Scope],
        metric: MetricName,
        server: ServerIds = None,
        tag: Tags = None,
        where: Where = None,
        start: Start = "-1h",
        end: End = "now",
        points: Points = 300,
        step: Step = None,
        by: By = None,
        aggregate: Combine = None,
        percentile: Share = None,
        rate: PerSecond = False,
        top: Most = None,
        bottom: Fewest = None,
        rank: Figure = RankBy.MEAN,
        column: Columns = None,
    ) -> SeriesRange:
        """One metric of some servers over a range, in at most `points` buckets of minimum, average and maximum."""
        span = parse_range(start, end, metrics.clock.now())
        names = [metric] if percentile is None else [metric, *(metric + suffix for suffix in SUFFIXES)]
        question = Question(
            metrics.selected(within, names, server or (), tag or (), where or ()),
            span.start,
            span.end,
            points,
            step,
            None if by is None else tuple(by),
            aggregate,
            percentile,
            rate,
            _rank(top, bottom, rank),
        )
        found = await while_connected(request, metrics.read(question))
        return SeriesRange.of(metric, span, found, column or ALL_COLUMNS)

    @get(
        "/charts",
        opt=requires("servers:read", each=True) | limited(Action.QUERY, cost=2) | refuses(*_QUERY_REFUSALS),
        operation_id="read_charts",
    )
    async def charts(  # noqa: PLR0917 - one argument a parameter of the query
        self,
        request: Asked,
        metrics: NamedDependency[Metrics],
        within: NamedDependency[Scope],
        metric: MetricNames,
        server: ServerIds = None,
        tag: Tags = None,
        where: Where = None,
        start: Start = "-1h",
        end: End = "now",
        points: Points = 300,
        step: Step = None,
    ) -> Charts:
        """Several metrics of some servers over a range at once, as the charts of a page need them."""
        span = parse_range(start, end, metrics.clock.now())
        selector = metrics.selected(within, metric, server or (), tag or (), where or ())
        question = Question(selector, span.start, span.end, points, step)
        return Charts.of(selector.metrics, span, await while_connected(request, metrics.read(question)))

    @get(
        "/top",
        opt=requires("servers:read", each=True)
        | limited(Action.QUERY)
        | refuses(NoSuchServer, BadMatcher, TooManySeries, QueryTimeout),
        operation_id="read_top",
    )
    async def top(  # noqa: PLR0917 - one argument a parameter of the query
        self,
        request: Asked,
        metrics: NamedDependency[Metrics],
        within: NamedDependency[Scope],
        metric: MetricName,
        server: ServerIds = None,
        tag: Tags = None,
        where: Where = None,
        limit: Annotated[
            int, QueryParameter(ge=1, le=_MOST_RANKED, description="At most this many series.")
        ] = 10,
        order: Annotated[Order, QueryParameter(description="`asc` for the lowest instead.")] = Order.DESC,
    ) -> list[TopSample]:
        """The series of a metric with the highest latest values, not older than five minutes."""
        selector = metrics.selected(within, [metric], server or (), tag or (), where or ())
        found = metrics.top(selector, limit, lowest=order is Order.ASC)
        return [TopSample.of(one) for one in await while_connected(request, found)]

    @get("/metrics", opt=requires("servers:read", each=True), operation_id="list_metrics")
    async def names(
        self,
        metrics: NamedDependency[Metrics],
        within: NamedDependency[Scope],
        paging: NamedDependency[Paging],
    ) -> MetricPage:
        """The metrics that were ever stored of the servers that one may see, by name."""
        found = [Metric.of(one) for one in await metrics.names(within)]
        shown = paging.cut(found, tuple[str, str], lambda one: (one.name, one.unit))
        return MetricPage(shown, paging.next_cursor)

    @get("/metrics/{name:str}/labels", opt=requires("servers:read", each=True), operation_id="list_labels")
    async def labels(
        self,
        name: FromPath[str],
        metrics: NamedDependency[Metrics],
        within: NamedDependency[Scope],
        paging: NamedDependency[Paging],
    ) -> LabelPage:
        """The labels of a metric's series, each with at most a thousand of its values."""
        found = await metrics.labels(within, name)
        shown = paging.cut(found, tuple[str], lambda one: (one,))
        return LabelPage([Label.of(one, found[one], _MOST_VALUES) for one in shown], paging.next_cursor)


def _rank(top: int | None, bottom: int | None, by: RankBy) -> Rank | None:
    if top is not None and bottom is not None:
        raise BadQuestion("Ask for `top` or for `bottom`.")
    most = bottom if top is None else top
    return None if most is None else Rank(most, by, top is None)
