"""Which batches are accepted, decided from values and `now` alone."""

from __future__ import annotations

from typing import NamedTuple

from pudim.wire.batches import Batch, Block, span
from pudim.wire.messages import Opening
from pudim.wire.refusals import ClockSkew, FrameTime, SequenceGap, UndeclaredSource
from pudim_collector.series.frames import SourceFrames

MAX_SKEW_MS = 60_000
"""A clock may be wrong by this much; frames may lie as far in the future."""


class Declared(NamedTuple):
    """A source of this session: its id in the store and its number of series."""

    source_id: int
    width: int


def check_clock(opening: Opening, now: int) -> None:
    """Raises ClockSkew. Milliseconds since the epoch, as everywhere here."""
    skew = opening.sent_at - now
    if abs(skew) > MAX_SKEW_MS:
        raise ClockSkew(f"the agent's clock is {abs(skew) / 1000:.0f} s {'ahead' if skew > 0 else 'behind'}")


def is_duplicate(batch: Batch, accepted: int) -> bool:
    return batch.seq <= accepted


def lost_before(batch: Batch, accepted: int) -> int:
    """How many batches between `accepted` and this new one never come. Raises SequenceGap for an undeclared gap."""
    lost = batch.seq - accepted - 1
    if lost > batch.skipped:
        raise SequenceGap(f"batch {batch.seq} came, {accepted + 1} was expected")
    return lost


def admitted_frames(
    batch: Batch, declared: dict[bytes, Declared], now: int, oldest: int
) -> list[SourceFrames]:
    """The frames to store; `oldest` is the time from which raw frames are kept.

    Raises UndeclaredSource, BadFrame or FrameTime; then nothing of the batch is stored.
    """
    return [_admitted(block, declared.get(block.source), now, oldest) for block in batch.blocks]


def _admitted(block: Block, source: Declared | None, now: int, oldest: int) -> SourceFrames:
    if source is None:
        raise UndeclaredSource
    first, last = span(block, source.width)
    if last > now + MAX_SKEW_MS:
        raise FrameTime(f"a frame lies {(last - now) / 1000:.0f} s in the future")
    if first < oldest:
        raise FrameTime(f"a frame is {(now - first) / 86_400_000:.1f} days old")
    return SourceFrames(source.source_id, source.width, block.times, block.values)
