"""What the collector asks of this agent, brought to the parts that do it."""

from __future__ import annotations

import asyncio

from pudim.wire.messages import Checks, Command, Mandate, Successor, Taken
from pudim_agent.checks import CheckRunner
from pudim_agent.commanding import Commands
from pudim_agent.pinned import Pinned
from pudim_agent.schedule import Schedule

_HURRIED_MS = 1_000
_HURRIED_SECONDS = 2.0


class AgentOrders:
    """Implements pudim_agent.session.Orders."""

    def __init__(
        self,
        schedule: Schedule,
        commands: Commands | None = None,
        checks: CheckRunner | None = None,
        pinned: Pinned | None = None,
    ) -> None:
        self._schedule, self._checks, self._pinned = schedule, checks, pinned
        self.commands = commands
        self._wished: int | None = None

    def set_interval(self, interval_ms: int | None) -> None:
        self._wished = interval_ms
        self._schedule.set_interval(interval_ms)

    def hurry(self) -> None:
        """Sample at once, on the grid of a second, and then as before."""
        if self._schedule.interval_ms > _HURRIED_MS:
            self._schedule.set_interval(_HURRIED_MS)
            asyncio.get_running_loop().call_later(_HURRIED_SECONDS, self._as_wished)

    def _as_wished(self) -> None:
        self._schedule.set_interval(self._wished)

    def set_checks(self, checks: Checks) -> None:
        if self._checks is not None:
            self._checks.take(checks)

    def command(self, command: Command) -> None:
        if self.commands is not None:
            self.commands.command(command)

    def taken(self, taken: Taken) -> None:
        if self.commands is not None:
            self.commands.taken(taken)

    def mandate(self, mandate: Mandate) -> None:
        if self.commands is not None:
            self.commands.mandate(mandate)

    def successor(self, successor: Successor) -> None:
        if self._pinned is not None:
            self._pinned.announced(successor.link)
