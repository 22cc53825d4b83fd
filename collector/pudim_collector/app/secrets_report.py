"""`pudim admin secrets`: the operations on secrets at rest, from an open database to what is told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from pudim_collector.app import sealed
from pudim_collector.app.features import SEALED
from pudim_collector.app.keys import collector_key, key_ring
from pudim_collector.app.process import shared_database
from pudim_collector.app.sealed import Census, Outcome, Progress
from pudim_collector.app.settings import Settings
from pudim_collector.infra.key_ring import KeyRing, RingKey
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.clock import SystemClock


class RingKeyStatus(msgspec.Struct):
    """`secrets` is None where they were not counted."""

    key: str
    active: bool
    created_at: datetime
    fingerprint: str
    secrets: int | None = None


class ColumnStatus(msgspec.Struct):
    column: str
    purpose: str
    by_key: dict[str, int]


class SecretsStatus(msgspec.Struct):
    """`waiting` are not under the active key, `unreadable` under none that is here."""

    keys: list[RingKeyStatus]
    columns: list[ColumnStatus]
    secrets: int
    waiting: int
    unreadable: int


class FaultStatus(msgspec.Struct):
    column: str
    row: str
    code: str


class SecretsOutcome(msgspec.Struct):
    secrets: int
    rewritten: int
    changed_meanwhile: int
    faults: list[FaultStatus]

    @classmethod
    def of(cls, outcome: Outcome) -> SecretsOutcome:
        faults = [FaultStatus(str(one.column), one.owner, one.code) for one in outcome.faults]
        return cls(outcome.values, outcome.rewritten, outcome.changed, faults)


async def status(settings: Settings) -> SecretsStatus:
    async with _opened(settings) as sealers:
        found = await sealed.census(SEALED)
        return _status(found, sealers.ring)


async def count(settings: Settings) -> int:
    return (await status(settings)).secrets


async def verify(settings: Settings, progress: Progress) -> SecretsOutcome:
    async with _opened(settings) as sealers:
        return SecretsOutcome.of(await sealed.verify(SEALED, sealers, progress))


async def reencrypt(settings: Settings, progress: Progress) -> SecretsOutcome:
    async with _opened(settings) as sealers:
        return SecretsOutcome.of(await sealed.reencrypt(SEALED, sealers, progress))


def rotate(settings: Settings) -> RingKeyStatus:
    """Raises RingFullError or RingReadOnlyError."""
    now = SystemClock().now()
    return _key_status(key_ring(settings, now).rotate(now), active=True)


async def retire(settings: Settings, name: str) -> None:
    """Raises NoSuchKeyError, ActiveKeyError, KeyTooFreshError, KeyInUseError or RingReadOnlyError."""
    async with _opened(settings) as sealers:
        await sealed.retire(sealers.ring, name, SEALED, SystemClock().now())


def table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def said(found: SecretsStatus) -> str:
    keys = [("key", "", "made", "fingerprint", "secrets")] + [
        (
            *(one.key, "active" if one.active else "older", f"{one.created_at:%Y-%m-%d %H:%M}"),
            *(one.fingerprint, f"{one.secrets:,}"),
        )
        for one in found.keys
    ]
    columns = [("secrets of", "under", "number")] + [
        (one.column, key, f"{number:,}")
        for one in found.columns
        for key, number in sorted(one.by_key.items())
    ]
    waiting = f"{found.secrets:,} secrets, {found.waiting:,} not under the active key, {found.unreadable:,} under no key that is here."
    return "\n".join([table(keys), "", table(columns), "", waiting])


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Sealers]:
    ring, collector = key_ring(settings, SystemClock().now()), collector_key(settings.data_dir)
    async with shared_database(settings):
        yield Sealers(ring, collector)


def _status(found: Census, ring: KeyRing) -> SecretsStatus:
    uses: Counter[str] = Counter()
    for by_key in found.values():
        uses.update(by_key)
    active = ring.active
    keys = [_key_status(key, active=key == active, secrets=uses[key.name]) for key in ring.keys]
    columns = [ColumnStatus(str(one), one.purpose, dict(by_key)) for one, by_key in found.items()]
    total = uses.total()
    return SecretsStatus(keys, columns, total, total - uses[active.name], sealed.unreadable(found, ring))


def _key_status(key: RingKey, *, active: bool, secrets: int | None = None) -> RingKeyStatus:
    return RingKeyStatus(key.name, active, key.created_at, key.fingerprint, secrets)
