"""The real programs push to us, set up with the very lines that the page gives: OpenTelemetry's SDK and Prometheus."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from pudim_collector.features.senders.rules import snippets
from tests.collector.app.site import Site
from tests.collector.senders.conftest import Pusher
from tests.running import free_port

PROMETHEUS = Path("/usr/bin/prometheus")
PATIENCE = 60.0


@asynccontextmanager
async def sdk(
    environment: str, monkeypatch: pytest.MonkeyPatch, *, delta: bool = False
) -> AsyncIterator[MeterProvider]:
    """An SDK that knows only the environment of where to push to."""
    for name, value in re.findall(r"^export (\w+)='?([^'\n]*)'?$", environment, re.MULTILINE):
        monkeypatch.setenv(name, value)
    temporality: dict[type, AggregationTemporality] = {}
    if delta:
        from opentelemetry.sdk.metrics import Counter, Histogram

        temporality = dict.fromkeys([Counter, Histogram], AggregationTemporality.DELTA)
    exporter = OTLPMetricExporter(compression=Compression.Gzip, preferred_temporality=temporality)
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)],
        Resource({"host.name": "lab-1", "service.name": "shop"}),
        views=[View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())],
        shutdown_on_exit=False,
    )
    try:
        yield provider
    finally:
        await asyncio.to_thread(provider.shutdown)


async def series(site: Site, metric: str, **labels: str) -> list[dict[str, Any]]:
    found = await site.get("/api/v2/series", metric=metric, to=str(int(time.time()) + 60), points=5000)
    return [one for one in found["series"] if labels.items() <= one["labels"].items()]


def last(found: list[dict[str, Any]]) -> float:
    (one,) = found
    return float(next(value for value in reversed(one["max"]) if value is not None))


async def test_opentelemetrys_sdk_sends_counters_gauges_and_histograms(
    site: Site, pusher: Pusher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with sdk(snippets(site.url, pusher.token).environment, monkeypatch) as provider:
        meter = provider.get_meter("lab", "1.0")
        sold = meter.create_counter("sold", unit="{piece}")
        waits, sizes = meter.create_histogram("wait", unit="s"), meter.create_histogram("size", unit="By")

        def temperature(_: CallbackOptions) -> list[Observation]:
            return [Observation(21.5, {"room": "kitchen"})]

        meter.create_observable_gauge("temperature", [temperature], unit="Cel")
        for number in range(1, 11):
            sold.add(number, {"fruit": "apple"})
            waits.record(number)
            sizes.record(2.0**number)
        assert await asyncio.to_thread(provider.force_flush)
        sold.add(5, {"fruit": "apple"})
        assert await asyncio.to_thread(provider.force_flush)
    assert last(await series(site, "sold", fruit="apple")) == 60
    assert last(await series(site, "temperature", room="kitchen")) == 21.5
    assert last(await series(site, "wait.count")) == 10
    assert last(await series(site, "wait.sum")) == 55
    assert last(await series(site, "wait.bucket", le="5")) == 5
    assert last(await series(site, "wait.bucket", le="+Inf")) == 10
    assert last(await series(site, "size.bucket", le="32")) == 5
    assert last(await series(site, "size.bucket", le="1024")) == 10
    (sold_series,) = await series(site, "sold")
    assert sold_series["labels"] == {
        "fruit": "apple",
        "otel.scope.name": "lab",
        "service.name": "shop",
        "pudim.sender": "lab",
    }
    assert [one["name"] for one in (await site.get("/api/v2/servers"))["items"]] == ["lab-1"]
    assert "Failed" not in caplog.text
    assert (await pusher.known())["refused_points"] == 0


async def test_sums_over_an_interval_become_rates(
    site: Site, pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sdk(snippets(site.url, pusher.token).environment, monkeypatch, delta=True) as provider:
        sold = provider.get_meter("lab").create_counter("sold", unit="{piece}")
        began = time.monotonic()
        sold.add(1)
        assert await asyncio.to_thread(provider.force_flush)
        await asyncio.sleep(1.2)
        sold.add(100)
        assert await asyncio.to_thread(provider.force_flush)
        took = time.monotonic() - began
        rate = last(await series(site, "sold.rate"))
    assert 100 / took <= rate <= 100 / 1.2
    found = await site.get("/api/v2/series", metric="sold.rate", to=str(int(time.time()) + 60))
    assert found["unit"] == "{piece}/s"


async def test_the_sdk_reports_what_was_refused_of_it(
    site: Site, pusher: Pusher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.client() as owner:
        await owner.delete(f"/api/v2/senders/{pusher.id}")
    async with sdk(snippets(site.url, pusher.token).environment, monkeypatch) as provider:
        provider.get_meter("lab").create_counter("sold").add(1)
        await asyncio.to_thread(provider.force_flush)
    assert "401" in caplog.text
    assert await series(site, "sold") == []


@asynccontextmanager
async def prometheus(folder: Path, lines: str) -> AsyncIterator[str]:
    """One that scrapes itself each second; its address."""
    address = f"127.0.0.1:{free_port()}"
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        "scrape_configs:\n"
        "  - job_name: prometheus\n"
        f"    static_configs: [{{targets: ['{address}']}}]\n{lines}"
    )
    log = (folder / "prometheus.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        stdout=log,
        stderr=log,
    )
    try:
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
        log.close()


async def eventually(look: Callable[[], Awaitable[Any]], folder: Path) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := await look()):
        assert time.monotonic() < deadline, (folder / "prometheus.log").read_text()
        await asyncio.sleep(0.5)
    return found


@pytest.mark.prometheus
@pytest.mark.processes
async def test_a_real_prometheus_writes_what_it_scrapes(site: Site, pusher: Pusher, tmp_path: Path) -> None:
    async with prometheus(tmp_path, snippets(site.url, pusher.token).prometheus) as address:

        async def scrapes() -> list[dict[str, Any]]:
            found = await series(site, "up")
            return found if found and sum(found[0]["count"]) >= 3 else []

        (up,) = await eventually(scrapes, tmp_path)
    assert up["labels"] == {"job": "prometheus", "instance": address, "pudim.sender": "lab"}
    assert {value for value in up["avg"] if value is not None} == {1.0}
    buckets = await series(
        site, "prometheus_http_request_duration_seconds_bucket", handler="/metrics", le="+Inf"
    )
    assert last(buckets) >= 1
    (server,) = (await site.get("/api/v2/servers"))["items"]
    assert (server["name"], server["kind"], server["state"]) == (f"prometheus/{address}", "outside", "live")
    said = await pusher.known()
    assert said["series"] > 200
    assert said["refused_points"] == 0, said
    assert "Failed" not in (tmp_path / "prometheus.log").read_text()


@pytest.mark.prometheus
@pytest.mark.processes
async def test_a_real_prometheus_is_told_the_offender_and_its_other_series_are_stored(
    site: Site, tmp_path: Path, make_pusher: Callable[..., Awaitable[Pusher]]
) -> None:
    pusher = await make_pusher("small", most_series=300)
    async with prometheus(tmp_path, snippets(site.url, pusher.token).prometheus):

        async def told() -> bool:
            return "series_cap: 'small' may have 300 series" in (tmp_path / "prometheus.log").read_text()

        await eventually(told, tmp_path)
    said = await pusher.known()
    assert said["series"] == 300
    assert "and its label '" in said["refused_said"]
