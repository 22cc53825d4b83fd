"""Agents hear of the collector's next key: those that connect at once, those that are here when it was made."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pudim.wire.messages import Successor
from pudim_collector.app.key_succession import COLLECTOR, succession_of
from pudim_collector.ingest.endpoint import AgentStream

_LOOK_SECONDS = 5.0


class SuccessorTold:
    """`run` is its loop: the chain is a file that another process writes. `messages` is what an agent hears on each connection."""

    def __init__(self, data_dir: Path, own: bytes) -> None:
        """Raises a KeyFileError."""
        self._data_dir, self._own = data_dir, own
        self.messages = self._read()

    def _read(self) -> list[bytes]:
        waiting = succession_of(self._data_dir, COLLECTOR, self._own).waiting
        return [] if waiting is None else [Successor(waiting).encode()]

    async def run(self, stream: AgentStream) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            told, self.messages = self.messages, self._read()
            if self.messages != told:
                for message in self.messages:
                    stream.tell_all(message)
