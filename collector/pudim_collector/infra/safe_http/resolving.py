"""Asks once what a name is, judges every answer, and knows which addresses are this host's and this network's own."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv6Network
from typing import NamedTuple

import psutil

from pudim.checks import Resolve
from pudim.checks.addresses import Address, plain
from pudim.checks.http_client import Target
from pudim_collector.infra.safe_http.allowing import Allowed
from pudim_collector.infra.safe_http.errors import AddressRefused, NotReachable
from pudim_collector.infra.safe_http.judging import Place, is_public, nat64_prefixes, refusal
from pudim_collector.kernel.clock import Clock

MOST_ADDRESSES = 4
"""Of a name with more, these are tried; all of them are judged."""
MOST_NAMES_AT_ONCE = 8
PREFIXES_HOLD = 3600.0
"""Seconds after which the network is asked again how it translates."""
_ASKED = "ipv4only.arpa"


class SystemNames(Resolve):
    """As every program of this machine finds it, in threads of its own: whoever dawdles with his name holds up nobody else's."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_NAMES_AT_ONCE, "pudim-names")

    async def __call__(self, host: str) -> list[str]:
        ask = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Judged(NamedTuple):
    """The addresses to connect to, and no others; `are_public`: none of them needed the operator's leave."""

    addresses: tuple[str, ...]
    are_public: bool


class Resolving:
    """`resolve` is how a name is asked for, as every program of this machine would."""

    def __init__(self, resolve: Resolve, allowed: Allowed, clock: Clock) -> None:
        self._resolve, self._allowed, self._clock = resolve, allowed, clock
        self._prefixes: tuple[IPv6Network, ...] = ()
        self._prefixes_until = 0.0

    async def judged(self, target: Target) -> Judged:
        """One address that is refused refuses all: it is what a rebinding looks like.

        Raises AddressRefused or NotReachable.
        """
        found = await self._addresses(target.host)
        place = Place(own_addresses(), await self._translated())
        for address in found:
            why = refusal(target.host, target.port, address, self._allowed, place)
            if why is not None:
                about = "This port" if why == "port" else "The address"
                raise AddressRefused(f"{about} may not be asked from here: {why}.", why)
        return Judged(tuple(found[:MOST_ADDRESSES]), all(is_public(one, place) for one in found))

    async def _addresses(self, host: str) -> list[str]:
        if plain(host) is not None:
            return [host]
        try:
            found = await self._resolve(host)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise NotReachable("There is no address of that name.")
        return found

    async def _translated(self) -> tuple[IPv6Network, ...]:
        """The network's own NAT64 prefixes; where it cannot be asked, what it said last holds on."""
        if self._clock.monotonic() >= self._prefixes_until:
            try:
                self._prefixes = nat64_prefixes(await self._resolve(_ASKED))
            except socket.gaierror as error:
                if error.errno not in _NO_SUCH_NAME:
                    return self._prefixes
                self._prefixes = ()
            except OSError:
                return self._prefixes
            self._prefixes_until = self._clock.monotonic() + PREFIXES_HOLD
        return self._prefixes


_NO_SUCH_NAME = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))


def own_addresses() -> frozenset[Address]:
    """This host's own, of every interface, as they are now."""
    texts = (one.address for many in psutil.net_if_addrs().values() for one in many)
    return frozenset(found for found in map(plain, texts) if found is not None)
