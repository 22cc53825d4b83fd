"""Slow down whoever keeps failing, in all processes together; nobody is ever locked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.attempts import queries, rules
from pudim_collector.features.attempts.queries import Counted
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.throttling import Patience

# One network that guesses one account is slowed down soon; an account from everywhere hardly, so that an attacker
# cannot keep its owner out.
PER_ACCOUNT_AND_NETWORK = Patience(free=5, first=timedelta(seconds=1), most=timedelta(minutes=15))
PER_NETWORK = Patience(free=30, first=timedelta(seconds=1), most=timedelta(minutes=15))
PER_ACCOUNT = Patience(free=100, first=timedelta(seconds=1), most=timedelta(seconds=10))


class SlowDownError(PudimError):
    """Too many failed attempts."""

    code = "slow_down"
    status = 429
    retry = True

    def __init__(self, wait: timedelta = timedelta(seconds=1)) -> None:
        self.seconds = max(1, round(wait.total_seconds()))
        super().__init__(f"Too many failed attempts. Try again in {self.seconds} s.")

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


@dataclass(frozen=True)
class Attempt:
    """One that was let happen and counts as failed until it succeeds: many at once get no more than one after another."""

    counts: Sequence[Counted]

    async def succeeded(self) -> None:
        await queries.succeeded(self.counts)


class Attempts:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def begin(
        self, what: str, account: str, address: str, *, device: str | None = None, strict: bool = False
    ) -> Attempt:
        """Raises SlowDownError. `device` names one from which this account signed in before.

        `strict` is for what only somebody may try who has proved one thing already: wherever he tries it, he waits.
        """
        counts = _counts(what, account, address, device)
        if strict:
            counts = [Counted(rules.key(what, "strict", account), PER_ACCOUNT_AND_NETWORK)]
        wait = await queries.begin(counts, self._clock.now())
        if wait > 0:
            raise SlowDownError(timedelta(seconds=wait))
        return Attempt(counts)

    async def tidy(self) -> None:
        """Keep what may still make somebody wait."""
        longest = max(one.forgotten_after for one in (PER_ACCOUNT, PER_NETWORK, PER_ACCOUNT_AND_NETWORK))
        await queries.tidy(self._clock.now() - longest, rules.MOST_ROWS)


def _counts(what: str, account: str, address: str, device: str | None) -> Sequence[Counted]:
    """A device that got in before has a count of its own: who attacks its account does not slow it down."""
    if device is not None:
        return [Counted(rules.key(what, "device", account, device), PER_ACCOUNT_AND_NETWORK)]
    network = rules.network_of(address)
    return [
        Counted(rules.key(what, "both", account, network), PER_ACCOUNT_AND_NETWORK),
        Counted(rules.key(what, "network", network), PER_NETWORK, own=False),
        Counted(rules.key(what, "account", account), PER_ACCOUNT, own=False),
    ]
