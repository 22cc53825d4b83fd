"""Which charts a server's page has: those of metrics that there are, known ones first, and none of nothing."""

from __future__ import annotations

from uuid import UUID

import pytest

from pudim.vocabulary.metrics import METRICS
from pudim_collector.features.metrics.rules import KNOWN, charts_of
from tests.collector.app.site import HOST, PAGE, Site, process, report

OFFERED = {
    one
    for group in KNOWN
    for chart in group.charts
    for view in chart.views
    for one in view.settings["metric"].split(",")
}


def headings(*metrics: str) -> list[str]:
    return [chart.heading for group in charts_of(frozenset(metrics)) for chart in group.charts]


def test_nothing_measured_is_no_chart() -> None:
    assert charts_of(frozenset()) == []


@pytest.mark.parametrize("metric", sorted(OFFERED))
def test_known_charts_are_of_metrics_that_agents_emit(metric: str) -> None:
    assert metric in METRICS


def test_a_chart_has_only_the_views_of_which_there_is_something() -> None:
    ((group,), metric) = charts_of(frozenset({"system.disk.await"})), "system.disk.await"
    (chart,) = group.charts
    assert [(view.name, view.settings["metric"]) for view in chart.views] == [("Wait", metric)]


def test_a_view_of_several_metrics_names_those_that_there_are() -> None:
    (group,) = charts_of(frozenset({"system.cpu.load_average.1m", "system.cpu.load_average.15m"}))
    (view,) = group.charts[0].views
    assert view.settings["metric"] == "system.cpu.load_average.1m,system.cpu.load_average.15m"
    assert view.settings["names"] == "1 min,15 min"


def test_a_new_metric_gets_a_chart_of_its_family() -> None:
    assert headings("zoo.animals", "zoo.visitors", "nginx_requests_total", "system.linux.zram.usage") == [
        "nginx",
        "system.linux.zram",
        "zoo",
    ]
    (group,) = charts_of(frozenset({"zoo.animals", "zoo.visitors"}))
    assert (group.name, [view.name for view in group.charts[0].views]) == ("Other", ["animals", "visitors"])


def test_a_big_family_gets_several_charts_and_the_number_of_charts_is_bounded() -> None:
    assert headings(*(f"zoo.m{number}" for number in range(8))) == ["zoo", "zoo, 2"]
    assert len(headings(*(f"{chr(97 + number % 26)}{number}.x" for number in range(500)))) == 40


@pytest.mark.parametrize(
    "metric", ["container.cpu.utilization", "system.memory.limit", "system.uptime", "pudim.check.up"]
)
def test_what_is_shown_elsewhere_or_is_no_curve_has_no_chart(metric: str) -> None:
    assert headings(metric) == []


@pytest.mark.parametrize("metric", ["", ".", "...", "a", ",", "x" * 256, '"><img src=x>', "\u202eabc"])
def test_odd_names_make_charts_too(metric: str) -> None:
    assert len(headings(metric)) == 1


async def test_a_page_has_charts_of_what_its_server_measured(site: Site) -> None:
    agent, other = await site.enrol("measures"), await site.enrol("else")
    await report(agent)
    async with other:
        await other.declare(process("bash"))
        while not await site.runtime.reader.metrics_of(other.agent_id):
            pass
    found = await site.runtime.reader.metrics_of(agent.agent_id)
    assert {one.metric for one in HOST.layout.series} <= found
    assert "process.cpu.utilization" not in found
    assert await site.runtime.reader.metrics_of(UUID(int=1)) == frozenset()
    async with site.client(**PAGE) as client:
        page = (await client.get(f"/servers/{agent.agent_id}")).text
    assert 'heading="CPU"' in page
    assert 'heading="Network"' not in page


async def test_a_server_that_sent_nothing_yet_has_charts_that_fill(site: Site) -> None:
    agent = await site.enrol()
    async with site.client(**PAGE) as client:
        page = (await client.get(f"/servers/{agent.agent_id}")).text
    assert [group.name for group in await site.runtime.metrics.groups(agent.agent_id)] == ["Overview"]
    assert 'heading="Memory"' in page
