"""Metrics in the API."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from pudim_collector.features.metrics.rules import parse_range
from pudim_collector.features.metrics.schemas import LatestSample, SeriesRange
from pudim_collector.features.metrics.service import Metrics
from pudim_collector.infra.auth import requires
from pudim_collector.series.reading import MAX_POINTS

TIME_HELP = "ISO 8601, Unix seconds, `now`, or relative such as `-15m`, `-6h`, `-7d`."
MetricName = Annotated[
    str,
    QueryParameter(
        min_length=1, max_length=256, pattern=r"^[^\x00]*$", description="OpenTelemetry metric name."
    ),
]
Start = Annotated[str, QueryParameter(name="from", max_length=64, description=TIME_HELP)]
End = Annotated[str, QueryParameter(name="to", max_length=64, description=TIME_HELP)]
Points = Annotated[
    int, QueryParameter(ge=1, le=MAX_POINTS, description="At most this many buckets a series.")
]
ServerIds = Annotated[
    list[UUID] | None,
    QueryParameter(name="server", max_items=500, description="Repeat for several; all if left out."),
]


class MetricsApi(Controller):
    path = "/api/v2"
    tags = ("Metrics",)

    @get("/servers/{server_id:uuid}/latest", opt=requires("servers:read"), operation_id="latest_samples")
    async def latest(
        self, server_id: FromPath[UUID], metrics: NamedDependency[Metrics]
    ) -> list[LatestSample]:
        """The newest sample of each of a server's series, not older than five minutes."""
        return [LatestSample.of(latest) for latest in await metrics.latest(server_id)]

    @get("/series", opt=requires("servers:read"), operation_id="read_series")
    async def series(  # noqa: PLR0917 - one argument a parameter of the query
        self,
        metrics: NamedDependency[Metrics],
        metric: MetricName,
        server: ServerIds = None,
        start: Start = "-1h",
        end: End = "now",
        points: Points = 300,
    ) -> SeriesRange:
        """One metric of some servers over a range, in at most `points` buckets of minimum, average and maximum."""
        span = parse_range(start, end, metrics.clock.now())
        reading = await metrics.read(metric, server or [], span, points)
        return SeriesRange.of(metric, span, reading)
