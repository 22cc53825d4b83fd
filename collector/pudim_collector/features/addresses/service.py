"""Use cases around lists of addresses: see one, change one without locking oneself out, and hold requests against them.

A request is held against what this process knows of all lists, for it must not cost a round trip: another process' change counts as
soon as it is announced, and after half a minute at the latest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from pudim_collector.features.accounts.service import log_event
from pudim_collector.features.addresses import events, queries, rules, schemas
from pudim_collector.features.addresses.rules import AddressNotAllowed, Network
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.auth import Principal, PrincipalKind
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import Clock

AddressError: TypeAlias = rules.AddressError
AllowedAddresses: TypeAlias = schemas.AllowedAddresses
WantedAddresses: TypeAlias = schemas.WantedAddresses
NetworkText: TypeAlias = schemas.NetworkText
MOST_NETWORKS = rules.MOST_NETWORKS
words = rules.words
ADDRESSES_CHANGED = "pudim_addresses"
_PATIENCE = 30.0


@dataclass(frozen=True)
class Wish:
    """A list that somebody wants, and from where he asks; `confirmed` if he means to lock himself out."""

    networks: Sequence[str]
    address: str | None
    confirmed: bool = False


class AddressLists:
    """`run` is its loop."""

    def __init__(
        self,
        announcements: Announcements,
        clock: Clock,
        *,
        emit: Callable[[object], None] = log_event,
    ) -> None:
        self._announcements, self._clock, self._emit = announcements, clock, emit
        self._known: dict[UUID, list[Network]] | None = None

    async def check(self, principal: Principal, address: str | None) -> None:
        """Raises AddressNotAllowed. The team's list holds for everybody, a token's for it besides."""
        known = self._known if self._known is not None else await self._load()
        if not known:
            return
        if not rules.allows(known.get(principal.team_id, ()), address):
            raise AddressNotAllowed(f"This team may not be used from {address or 'an unknown address'}.")
        if principal.kind is PrincipalKind.TOKEN and not rules.allows(known.get(principal.id, ()), address):
            raise AddressNotAllowed(f"This token may not be used from {address or 'an unknown address'}.")

    async def of_team(self, principal: Principal) -> list[str]:
        return await queries.list_of(principal.team_id, None)

    async def set_for_team(self, principal: Principal, wish: Wish) -> list[str]:
        """Raises an AddressError."""
        networks = rules.parse(wish.networks)
        rules.check_way_back(networks, wish.address, confirmed=wish.confirmed)
        async with database.transaction():
            before = await self._replace(principal.team_id, None, networks)
            self._emit(events.TeamAddressesChanged(_told(before), _told(_written(networks))))
        await self._load()
        return _written(networks)

    @staticmethod
    def narrowed(networks: Sequence[str], outer: Sequence[str]) -> list[str]:
        """`networks`, or all of `outer` where they name none. Raises an AddressError for what is not within `outer`."""
        return _written(rules.narrowed(rules.parse(networks), rules.parse(outer)))

    async def set_for_token(self, principal: Principal, token_id: UUID, name: str, wish: Wish) -> list[str]:
        """Of a token that is called `name` and is in the team. Raises an AddressError."""
        networks = rules.parse(wish.networks)
        if principal.id == token_id:
            rules.check_way_back(networks, wish.address, confirmed=wish.confirmed)
        async with database.transaction():
            before = await self._replace(principal.team_id, token_id, networks)
            after = _told(_written(networks))
            self._emit(events.TokenAddressesChanged(token_id, name, _told(before), after))
        await self._load()
        return _written(networks)

    async def run(self) -> None:
        with self._announcements.subscribe(ADDRESSES_CHANGED) as changed:
            while True:
                await self._load()
                await changed.heard(_PATIENCE)

    async def _replace(self, team_id: UUID, token_id: UUID | None, networks: Sequence[Network]) -> list[str]:
        before = await queries.list_of(team_id, token_id, lock=True)
        await queries.replace_list(team_id, token_id, _written(networks), self._clock.now())
        await self._announcements.announce(ADDRESSES_CHANGED, str(token_id or team_id))
        return before

    async def _load(self) -> dict[UUID, list[Network]]:
        found = await queries.all_lists()
        self._known = {owner: rules.parse(networks) for owner, networks in found.items()}
        return self._known


def _written(networks: Sequence[Network]) -> list[str]:
    return list(map(str, networks))


def _told(networks: Sequence[str]) -> Mapping[str, Sequence[str]]:
    return {"networks": networks}
