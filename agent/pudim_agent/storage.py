"""What is told of the host's disks and arrays, which two samplers find out: one notice for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pudim_agent.notices import Notices


class Storage:
    def __init__(self) -> None:
        self._disks: Sequence[dict[str, Any]] = ()
        self._arrays: Sequence[dict[str, Any]] = ()

    @property
    def knows_arrays(self) -> bool:
        return bool(self._arrays)

    def tell_disks(self, notices: Notices, at_ms: int, disks: Sequence[dict[str, Any]]) -> None:
        self._disks = disks
        self._tell(notices, at_ms)

    def tell_arrays(self, notices: Notices, at_ms: int, arrays: Sequence[dict[str, Any]]) -> None:
        self._arrays = arrays
        self._tell(notices, at_ms)

    def _tell(self, notices: Notices, at_ms: int) -> None:
        notices.tell("disks", at_ms, {"disks": list(self._disks), "arrays": list(self._arrays)})
