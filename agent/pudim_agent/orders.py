"""What the collector asks of this agent, brought to the parts that do it."""

from __future__ import annotations

import logging

from pudim.wire.messages import Checks, Command, Taken
from pudim_agent.checks import CheckRunner
from pudim_agent.schedule import Schedule

_log = logging.getLogger(__name__)


class AgentOrders:
    """Implements pudim_agent.session.Orders."""

    def __init__(self, schedule: Schedule, checks: CheckRunner | None = None) -> None:
        self._schedule, self._checks = schedule, checks

    def set_interval(self, interval_ms: int | None) -> None:
        self._schedule.set_interval(interval_ms)

    def set_checks(self, checks: Checks) -> None:
        if self._checks is not None:
            self._checks.take(checks)

    def command(self, command: Command) -> None:
        _log.debug("a command of %d bytes", len(command.envelope))

    def taken(self, taken: Taken) -> None:
        _log.debug("results up to %d are stored", taken.sequence)
