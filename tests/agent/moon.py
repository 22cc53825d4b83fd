"""A plugin family of one third party's plugin, for the registry's test."""

from __future__ import annotations

from pudim.vocabulary.registry import Registry

__path__: list[str] = []
moons: Registry[str] = Registry(__name__, "pudim.moons")


def register() -> None:
    moons.register("luna")("a moon")
