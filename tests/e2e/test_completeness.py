"""Processes are killed and stopped; what is missing of the day afterwards has the right reason, and what came late too."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.crash_site import FastAgent, Stored, wait_for
from tests.running import RunningPudim

pytestmark = pytest.mark.processes
AWAY_SECONDS = 5.0
BUSY = "paused"
"""A machine with much to do makes every agent miss a tick."""


@pytest.fixture
def impatient() -> Iterator[RunningPudim]:
    with (
        tempfile.TemporaryDirectory(prefix="pudim-test-") as folder,
        RunningPudim(Path(folder) / "data", program=("-m", "tests.e2e.impatient")) as running,
    ):
        yield running


def days(pudim: RunningPudim, agent: FastAgent) -> Any:
    return pudim.call(f"/api/v2/servers/{agent.server_id}/completeness")["days"]


def gaps(pudim: RunningPudim, agent: FastAgent) -> list[Any]:
    return [gap for day in days(pudim, agent) for gap in day["gaps"]]


def reasons(pudim: RunningPudim, agent: FastAgent, kind: str) -> dict[str, int]:
    """How many samplings are missing, or came late, for which reason."""
    found: dict[str, int] = {}
    for gap in gaps(pudim, agent):
        if gap[kind]:
            found[gap["reason"]] = found.get(gap["reason"], 0) + gap[kind]
    return found


def fresh(pudim: RunningPudim, agent: FastAgent) -> bool:
    times = Stored(pudim.data_dir, agent.server_id).times()
    return len(times) > 20 and time.time() * 1000 - times[-1] < 1500


def whole_minutes_passed(since: float) -> bool:
    """Minutes are judged once they are over."""
    return (time.time() - 3) // 60 * 60 > since


def test_each_cause_is_told_from_the_others(impatient: RunningPudim, tmp_path: Path) -> None:
    with ExitStack() as stack:
        agents = [FastAgent(impatient, tmp_path / name) for name in ("restarted", "stopped", "undisturbed")]
        for agent in agents:
            stack.enter_context(agent)
        restarted, stopped, undisturbed = agents
        wait_for(lambda: all(fresh(impatient, agent) for agent in agents))

        restarted.kill()
        assert stopped.process is not None
        stopped.process.send_signal(signal.SIGSTOP)
        time.sleep(AWAY_SECONDS)
        restarted.start()
        stopped.process.send_signal(signal.SIGCONT)
        wait_for(lambda: all(fresh(impatient, agent) for agent in agents))

        impatient.kill()
        time.sleep(AWAY_SECONDS)
        impatient.start()
        wait_for(lambda: all(fresh(impatient, agent) for agent in agents))
        settled = time.time()
        wait_for(lambda: whole_minutes_passed(settled), 75)

        lost = reasons(impatient, restarted, "missing")
        assert lost.keys() - {BUSY} == {"agent_down"}
        assert 40 <= lost["agent_down"] <= 120
        assert reasons(impatient, stopped, "missing").keys() == {"paused"}
        assert reasons(impatient, stopped, "missing")["paused"] >= 40
        assert reasons(impatient, undisturbed, "missing").keys() <= {BUSY}
        # It was away for fifty ticks, and agents wait before they call again.
        assert reasons(impatient, undisturbed, "late")["collector_down"] >= 30
        today = days(impatient, undisturbed)[-1]
        assert today["day"] == datetime.now(UTC).date().isoformat()
        assert today["stored"] > 0.9 * today["expected"]
