"""What the collector asks of this agent, brought to the parts that do it."""

from __future__ import annotations

import logging

from pudim.wire.messages import Checks, Command, Taken
from pudim_agent.schedule import Schedule

_log = logging.getLogger(__name__)


class AgentOrders:
    """Implements pudim_agent.session.Orders."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def set_interval(self, interval_ms: int | None) -> None:
        self._schedule.set_interval(interval_ms)

    def set_checks(self, checks: Checks) -> None:
        _log.debug("%d checks (revision %d)", len(checks.checks), checks.revision)

    def command(self, command: Command) -> None:
        _log.debug("a command of %d bytes", len(command.envelope))

    def taken(self, taken: Taken) -> None:
        _log.debug("results up to %d are stored", taken.sequence)
