"""Plugin families: a folder of siblings that register themselves, and third parties through entry points."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Generic, TypeVar

from pudim.vocabulary.errors import PudimError

T = TypeVar("T")
C = TypeVar("C")


class DuplicateKind(PudimError):
    """Two plugins of one family claim the same kind."""

    code = "duplicate_kind"


class Registry(Mapping[str, T], Generic[T]):
    """`package` is the family's own module name, `group` the entry-point group open to third parties.

    One kind is found in the sibling of its name, and nothing else of the family is imported for it.
    """

    def __init__(self, package: str, group: str | None = None) -> None:
        self._package, self._group = package, group
        self._found: dict[str, T] = {}
        self._loaded = False

    def register(self, kind: str) -> Callable[[C], C]:
        def add(plugin: C) -> C:
            if kind in self._found:
                raise DuplicateKind(f"{self._package} has two plugins named {kind!r}")
            self._found[kind] = plugin  # type: ignore[assignment]  # checked by the family's contract test
            return plugin

        return add

    def __getitem__(self, kind: str) -> T:
        if kind not in self._found and not self._loaded and kind in self._siblings():
            import_module(f"{self._package}.{kind}")
        return self._found[kind] if kind in self._found else self._load()[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def _siblings(self) -> list[str]:
        return [one.name for one in pkgutil.iter_modules(import_module(self._package).__path__)]

    def _load(self) -> dict[str, T]:
        if not self._loaded:
            self._loaded = True
            for sibling in self._siblings():
                import_module(f"{self._package}.{sibling}")
            self._load_third_parties()
            # In the order of the alphabet, whichever was asked for first.
            self._found = dict(sorted(self._found.items()))
        return self._found

    def _load_third_parties(self) -> None:
        if self._group is None or not _is_offered(self._group):
            return
        from importlib.metadata import entry_points

        for point in entry_points(group=self._group):
            point.load()


def _is_offered(group: str) -> bool:
    """Whether any installed distribution names the group; importlib.metadata costs 0.3 MB for the usual no."""
    wanted = f"[{group}]"
    return any(
        wanted in found.read_text(encoding="utf-8", errors="replace")
        for place in sys.path
        for found in Path(place).glob("*-info/entry_points.txt")
    )
