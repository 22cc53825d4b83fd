"""What the agent running on this host costs, as seen from outside by `pudim agent status`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import psutil

from pudim_agent.clock import SystemClock
from pudim_agent.loop import PID_FILE


class Footprint(NamedTuple):
    pid: int
    resident_mebibytes: float
    cpu_percent: float
    started: datetime


def running_agent(state_dir: Path) -> Footprint | None:
    """The agent whose state is in `state_dir`, None when it does not run."""
    try:
        process = psutil.Process(int((state_dir / PID_FILE).read_text()))
        with process.oneshot():
            if "pudim_agent" not in process.cmdline():
                return None  # the number was given to another program
            used, begun = process.cpu_times(), process.create_time()
            age = SystemClock().now().wall_ms / 1000 - begun
            return Footprint(
                process.pid,
                process.memory_info().rss / 2**20,
                100 * (used.user + used.system) / max(age, 0.01),
                datetime.fromtimestamp(begun, timezone.utc),
            )
    except (OSError, ValueError, psutil.Error):
        return None
