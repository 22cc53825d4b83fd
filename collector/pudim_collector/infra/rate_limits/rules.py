"""The limits, declared once, and the rule by which they are kept: GCRA, the bucket that drips by itself.

A bucket is one number, its TAT ("theoretical arrival time", ITU-T I.371): when it will be empty again. What is asked moves
it on by a share of the window, and may not move it further than one whole window ahead of now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

_SLACK = 1e-6
"""Seconds by which sums of fractions may be off."""
_HOUSEHOLD = 64
"""Bits of an IPv6 address that one customer's line has in common."""
_LEASES = 20


class Action(StrEnum):
    """What a request does, as far as limits tell requests apart."""

    READ = "read"
    WRITE = "write"
    QUERY = "query"
    EXPORT = "export"
    PUSH = "push"
    SIGN_IN = "sign-in"


@dataclass(frozen=True)
class Limit:
    """`quota` at once, and as many again in each `seconds`, evenly."""

    name: str
    quota: int
    seconds: int
    exact: bool = False
    """Whether each request asks the store, and none passes while it is away."""

    @property
    def interval(self) -> float:
        return self.seconds / self.quota

    @property
    def lease(self) -> int:
        """What a process takes from the store at once, to give out without asking."""
        return 1 if self.exact else max(1, self.quota // _LEASES)

    def scaled(self, factor: float) -> Limit:
        return Limit(self.name, max(1, round(self.quota * factor)), self.seconds, self.exact)


@dataclass(frozen=True)
class Levels:
    """Of one action: for one session or token, for its whole team, and for one address where nobody is signed in."""

    caller: Limit
    team: Limit | None
    address: Limit


LIMITS: Mapping[Action, Levels] = {
    Action.READ: Levels(
        Limit("read", 3000, 60), Limit("read-team", 12_000, 60), Limit("read-address", 3000, 60)
    ),
    Action.WRITE: Levels(
        Limit("write", 600, 60), Limit("write-team", 3000, 60), Limit("write-address", 1200, 60)
    ),
    Action.QUERY: Levels(
        Limit("query", 3000, 60), Limit("query-team", 12_000, 60), Limit("query-address", 600, 60)
    ),
    Action.EXPORT: Levels(
        Limit("export", 30, 3600, exact=True),
        Limit("export-team", 120, 3600, exact=True),
        Limit("export-address", 10, 3600, exact=True),
    ),
    Action.PUSH: Levels(Limit("push", 12_000, 60), None, Limit("push-address", 12_000, 60)),
    Action.SIGN_IN: Levels(
        Limit("sign-in", 30, 300, exact=True), None, Limit("sign-in-address", 60, 300, exact=True)
    ),
}
FLOOD = Limit("address", 12_000, 60)
"""Of one address, whatever it asks for, before anybody looks who it is; kept by each process for itself."""


@dataclass(frozen=True)
class Taken:
    """What came of asking: what is `left`, seconds until all of it is back, and, if refused, until it would pass."""

    allowed: bool
    left: int
    full_in: float
    wait: float = 0.0


def judge(ahead: float, limit: Limit, cost: int) -> Taken:
    """`ahead` is how far the TAT lies before now, in seconds, before anything is taken; below 0 counts as 0."""
    ahead = max(0.0, ahead)
    after = ahead + cost * limit.interval
    if after > limit.seconds + _SLACK:
        return Taken(False, left(ahead, limit), ahead, after - limit.seconds)
    return Taken(True, left(after, limit), after)


def left(ahead: float, limit: Limit) -> int:
    return max(0, math.floor((limit.seconds - ahead) / limit.interval + _SLACK))


@lru_cache(4096)
def household(address: str | None) -> str:
    """What counts as one address: a line's whole IPv6 network; all that is unknown together."""
    if not address:
        return "unknown"
    try:
        known = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(known, IPv6Address):
        return str(ip_network((known.packed, _HOUSEHOLD), strict=False))
    return str(known)
