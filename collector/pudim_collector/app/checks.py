"""What a process knows of its own health beside its loops: named, and in words where something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

WELL = "well"


@dataclass(frozen=True)
class Checks:
    """Each is asked what is wrong, and says None while nothing is."""

    _by_name: dict[str, Callable[[], str | None]] = field(default_factory=dict)

    def add(self, name: str, wrong: Callable[[], str | None]) -> None:
        self._by_name[name] = wrong

    def said(self) -> dict[str, str]:
        return {name: wrong() or WELL for name, wrong in self._by_name.items()}
