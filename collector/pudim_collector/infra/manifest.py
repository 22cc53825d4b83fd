"""What a feature brings with it: the one thing `app/` needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from litestar.types import ControllerRouterHandler

from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.permissions import Permission
from pudim_collector.infra.personal import Kept, Section
from pudim_collector.infra.sealing import SealedColumn


@dataclass(frozen=True)
class NavigationEntry:
    """A link in every page's navigation; `icon` names a file of web's icons."""

    label: str
    href: str
    icon: str
    permission: str
    """Held for anything: a page that shows only some servers is worth a link."""

    def leads_to(self, path: str) -> bool:
        return path == self.href or path.startswith(f"{self.href}/")


@dataclass(frozen=True)
class Feature:
    """`permissions` maps the names this feature declares to what they allow; words alone mean admins and owners, for a team.

    `account_tabs` are its pages in the account's own area, as accounts/_tabs.html shows them, `team_tabs` those of the team's. `personal` are its rows about
    people, `kept` those that go by age.
    """

    name: str
    controllers: Sequence[ControllerRouterHandler] = ()
    permissions: Mapping[str, Permission | str] = field(default_factory=dict)
    navigation: Sequence[NavigationEntry] = ()
    account_tabs: Sequence[NavigationEntry] = ()
    team_tabs: Sequence[NavigationEntry] = ()
    migrations: MigrationApp | None = None
    sealed: Sequence[SealedColumn] = ()
    holdings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Tables that grow with time, by what they are called, so that the storage page tells their bytes."""
    personal: Sequence[Section] = ()
    kept: Sequence[Kept] = ()
