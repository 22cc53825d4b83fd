"""What tests of senders ask of the collector: data points to push, and what is stored."""

from typing import Any

import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from pudim_collector.infra.database import database
from pudim_collector.ingest.outside.messages import Status
from pudim_collector.series.statements import fetch
from tests.collector.app.site import Site
from tests.collector.ingest.agent import now_ms
from tests.collector.ingest.outside.made import attributes, ns

UP = {"__name__": "up", "job": "node", "instance": "web-1:9100"}


def gauge(value: float, at: int | None = None, **labels: str) -> dict[str, Any]:
    return {
        "timeUnixNano": ns(now_ms() if at is None else at),
        "asDouble": value,
        "attributes": attributes(**labels),
    }


async def servers(site: Site) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (await site.get("/api/v2/servers"))["items"]}


async def read(site: Site, name: str) -> list[tuple[dict[str, str], list[float]]]:
    """Labels and the last hour's values of each series of a metric."""
    found = await site.get("/api/v2/series", metric=name, to=f"{now_ms() // 1000 + 60}", points=5000)
    return [
        (one["labels"], [value for value in one["avg"] if value is not None])
        for one in sorted(found["series"], key=lambda one: sorted(one["labels"].items()))
    ]


async def rows() -> int:
    async with database.connection() as connection:
        return int((await fetch(connection, "SELECT count(*) FROM frames"))[0][0])


def status(answer: httpx.Response) -> str:
    """The message of a google.rpc.Status."""
    assert answer.headers["content-type"] == "application/x-protobuf"
    return str(Status.FromString(answer.content).message)


def partial(answer: httpx.Response) -> tuple[int, str]:
    assert answer.status_code == 200, answer.content
    said = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    return said.rejected_data_points, said.error_message
