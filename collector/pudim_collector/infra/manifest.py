"""What a feature brings with it: the one thing `app/` needs to know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from litestar.types import ControllerRouterHandler

from pudim_collector.infra.database.migrations import MigrationApp


@dataclass(frozen=True)
class NavigationEntry:
    """A link in every page's navigation; `icon` names a file of web's icons."""

    label: str
    href: str
    icon: str
    permission: str

    def leads_to(self, path: str) -> bool:
        return path == self.href or path.startswith(f"{self.href}/")


@dataclass(frozen=True)
class PeriodicJob:
    """`run` gets the assembled feature; the composition root gives it to the scheduler."""

    name: str
    every: timedelta
    run: Callable[[Any], Awaitable[None]]


@dataclass(frozen=True)
class Feature:
    """`permissions` maps the names this feature declares to what they allow, in words for people."""

    name: str
    controllers: Sequence[ControllerRouterHandler] = ()
    permissions: Mapping[str, str] = field(default_factory=dict)
    navigation: Sequence[NavigationEntry] = ()
    migrations: MigrationApp | None = None
    jobs: Sequence[PeriodicJob] = ()
    listeners: Mapping[type, Callable[..., Awaitable[None]]] = field(default_factory=dict)
