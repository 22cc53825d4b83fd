"""Ninety days of a simulated server, as a person sees them: the right stretch, the right values, the outage as a gap."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import pytest
from playwright.async_api import Browser, Page, Response, expect

from pudim_collector.app.demo.machines import fleet
from pudim_collector.app.demo.signals import DAY, TICK
from pudim_collector.app.demo.simulation import Simulation
from pudim_collector.app.demo.story import HOUR, Stretch, story_of
from tests.e2e.crash_site import Stored
from tests.e2e.test_first_visit import DESK, PHONE, create_owner, picture
from tests.running import RunningPudim

pytestmark = [pytest.mark.browser, pytest.mark.processes]

DAYS, SEED = 90, 7
SPANS = {"7d": 7, "30d": 30, "90d": 90}
METRICS = 11
"""Of the page's charts, as they are shown first."""


def demo_data(pudim: RunningPudim, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [*(sys.executable, "-m", "pudim.cli", "admin", "demo-data"), "--data-dir", str(pudim.data_dir)]
    return subprocess.run([*argv, *options], check=False, timeout=900, capture_output=True, text=True)


class Demo(NamedTuple):
    """A simulated server with all of its history, in milliseconds."""

    server_id: str
    simulation: Simulation

    @property
    def outage(self) -> Stretch:
        """The newest long one."""
        return [down for down in self.simulation.story.downs if down.end - down.start > HOUR][-1]


@pytest.fixture(scope="module")
def demo(pudim: RunningPudim) -> Demo:
    """Loaded beside the Pudim that runs."""
    loaded = demo_data(pudim, "--servers", "1", "--days", str(DAYS), "--seed", str(SEED))
    assert loaded.returncode == 0, loaded.stderr
    (server_id,) = [
        one["id"] for one in pudim.call("/api/v2/servers")["items"] if one["name"] == "demo-web-1"
    ]
    stored = Stored(pudim.data_dir, server_id)
    ((newest,),) = stored.rows("SELECT max(last_ms) FROM ledger WHERE server_id = %(server)s")
    until = int(str(newest)) + TICK
    since = until - DAYS * DAY
    return Demo(server_id, Simulation(fleet(1)[0], story_of(SEED, 0, since, until), SEED, since, until))


@pytest.fixture(scope="module")
async def page(browser: Browser, pudim: RunningPudim) -> Page:
    context = await browser.new_context(viewport=DESK, base_url=pudim.access["url"])
    opened = await context.new_page()
    await opened.goto(pudim.access["setup_url"])
    await create_owner(opened)
    return opened


async def draw(page: Page, demo: Demo, span: str) -> list[dict[str, Any]]:
    """Every chart of the server's page, and what the store answered for them."""
    answers: list[Response] = []

    def note(response: Response) -> None:
        if re.search(rf"/api/v2/(series|charts)\?.*from=-{span}\b", response.url):
            answers.append(response)

    page.on("response", note)
    await page.goto(f"/servers/{demo.server_id}?range={span}")
    for chart in await page.locator("pudim-chart").all():
        await chart.scroll_into_view_if_needed()
        await expect(chart).to_have_attribute("data-condition", "ready", timeout=20_000)
    await page.evaluate("scrollTo(0, 0)")
    page.remove_listener("response", note)
    return [one for answer in answers for one in by_metric(json.loads(await answer.body()))]


def by_metric(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Charts that come into view together are answered together."""
    return [answer | one for one in answer["metrics"]] if "metrics" in answer else [answer]


def in_outage(demo: Demo, time: float, step: float) -> bool:
    """Whether a bucket lies within it as a whole."""
    return demo.outage.start / 1000 <= time and time + step <= demo.outage.end / 1000


@pytest.mark.parametrize("span", SPANS)
async def test_charts_cover_their_stretch_and_show_the_outage_as_a_gap(
    page: Page, demo: Demo, span: str
) -> None:
    await page.set_viewport_size(DESK)
    answers = await draw(page, demo, span)
    assert len({answer["metric"] for answer in answers}) == METRICS
    for answer in answers:
        assert answer["to"] - answer["from"] == pytest.approx(SPANS[span] * 86_400)
        assert answer["series"], answer["metric"]
        for series in answer["series"]:
            whole_series_is_right(demo, answer, series)
    columns = await page.locator("pudim-chart").first.evaluate(
        "chart => ({time: chart.aligned.time, average: chart.aligned.avg})"
    )
    times = np.array(columns["time"])
    step = answers[0]["step"]
    # A history of just 90 days began a little after what `90 days` now goes back to.
    assert times[0] <= answers[0]["from"] + 2 * step + 3600
    assert times[-1] >= demo.simulation.end / 1000 - 2 * step
    within = [row for row, time in enumerate(times) if in_outage(demo, time, step)]
    assert within, "the chart has a row for the gap"
    for line in columns["average"]:
        assert all(line[row] is None for row in within), "a gap, not a line across it, nor zeros"
        assert sum(value is not None for value in line) > 0.5 * len(times)


def whole_series_is_right(demo: Demo, answer: dict[str, Any], series: dict[str, Any]) -> None:
    step, rows = answer["step"], list(zip(series["time"], series["avg"], series["count"], strict=True))
    assert all(answer["from"] - step <= time <= answer["to"] for time, _, _ in rows)
    gaps = [time for time, average, count in rows if average is None and count == 0]
    assert any(demo.outage.start / 1000 <= time < demo.outage.end / 1000 for time in gaps), answer["metric"]
    assert not [time for time, average, _ in rows if average is not None and in_outage(demo, time, step)]


@pytest.mark.parametrize("span", SPANS)
async def test_the_answers_are_what_was_measured(pudim: RunningPudim, demo: Demo, span: str) -> None:
    metric = "system.memory.utilization"
    answer = pudim.call(f"/api/v2/series?metric={metric}&server={demo.server_id}&from=-{span}&points=800")
    (series,) = answer["series"]
    step = answer["step"]
    first, last = int(answer["from"]) * 1000 // DAY, demo.simulation.end // DAY
    streams = [demo.simulation.day(day)[0] for day in range(first, last + 1)]
    place = [one.metric for one in streams[0].source.layout.series].index(metric)
    times = np.concatenate([stream.times for stream in streams]) / 1000
    values = np.concatenate([stream.values[:, place] for stream in streams])
    compared = 0
    # The buckets at the ends may hold less than the store has.
    for time, low, average, high, count in list(
        zip(*(series[key] for key in ("time", "min", "avg", "max", "count")), strict=True)
    )[1:-1]:
        inside = values[(times >= time) & (times < time + step)]
        if average is None:
            assert count == 0
            continue
        assert count == len(inside), datetime.fromtimestamp(time, UTC)
        assert (low, average, high) == pytest.approx((inside.min(), inside.mean(), inside.max()))
        compared += 1
    assert compared > 300


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
@pytest.mark.parametrize("span", SPANS)
async def test_pages_look_right(page: Page, demo: Demo, span: str, width: str, theme: str) -> None:
    await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    await page.set_viewport_size(DESK if width == "desk" else PHONE)
    answers = await draw(page, demo, span)
    assert len({answer["metric"] for answer in answers}) == METRICS
    await page.wait_for_timeout(500)
    await picture(page, f"demo-{span}-{width}-{theme}")
    overflow = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0


def test_they_come_once_and_go_again(pudim: RunningPudim, demo: Demo) -> None:
    again = demo_data(pudim)
    assert again.returncode == 1
    assert "demo-data --remove" in again.stderr
    assert demo.server_id in [one["id"] for one in pudim.call("/api/v2/servers")["items"]]
    gone = demo_data(pudim, "--remove")
    assert gone.stdout == "Simulated servers removed: 1\n"
    (own,) = pudim.call("/api/v2/servers")["items"]
    assert own["state"] == "live", "the agent on this host goes on"
