"""Which frames are too old is known in every process that takes them, soon after the limits were changed anywhere."""

from __future__ import annotations

from pudim_collector.features.storage.service import LIMITS_CHANGED
from pudim_collector.infra.announcements import Announcements
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.store import Store

_PATIENCE = 3600.0


class LimitsHeard:
    """`run` is its loop; it also looks by itself each hour, for the days move on."""

    def __init__(self, announcements: Announcements, store: Store, clock: Clock) -> None:
        self._announcements, self._store, self._clock = announcements, store, clock

    async def run(self) -> None:
        with self._announcements.subscribe(LIMITS_CHANGED) as changed:
            while True:
                await changed.heard(_PATIENCE)
                await self._store.prepare(self._clock.now())
