"""Which batches are accepted, decided from values and `now` alone."""

from __future__ import annotations

from typing import NamedTuple

from pudim.wire.batches import MAX_TIME, Batch, span
from pudim.wire.messages import Opening
from pudim.wire.refusals import ClockSkew, FrameTime, SequenceGap, UndeclaredSource
from pudim_collector.series.frames import SourceFrames

MAX_SKEW_MS = 60_000
"""A clock may be wrong by this much; frames may lie as far in the future."""


class Declared(NamedTuple):
    """A source of this session: its id in the store and its number of series."""

    source_id: int
    width: int


class Admitted(NamedTuple):
    """Frames to store, and the oldest and the newest of their times."""

    frames: list[SourceFrames]
    first_ms: int
    last_ms: int


def check_clock(opening: Opening, now: int) -> None:
    """Raises ClockSkew. Milliseconds since the epoch, as everywhere here."""
    skew = opening.sent_at - now
    if abs(skew) > MAX_SKEW_MS:
        raise ClockSkew(f"the agent's clock is {abs(skew) / 1000:.0f} s {'ahead' if skew > 0 else 'behind'}")


def is_duplicate(batch: Batch, accepted: int) -> bool:
    return batch.seq <= accepted


def lost_before(batch: Batch, accepted: int) -> int:
    """How many batches between `accepted` and this new one never come. Raises SequenceGap if they are not those
    that the batch says: fewer, and it may sum up some that are stored already.
    """
    lost = batch.seq - accepted - 1
    if lost != batch.skipped:
        raise SequenceGap(f"batch {batch.seq} came, {accepted + 1} was expected")
    return lost


def admitted_frames(batch: Batch, declared: dict[bytes, Declared], now: int, oldest: int) -> Admitted:
    """The frames to store; `oldest` is the time from which raw frames are kept.

    Raises UndeclaredSource, BadFrame or FrameTime; then nothing of the batch is stored.
    """
    frames = []
    first_ms, last_ms = MAX_TIME, 0
    for block in batch.blocks:
        source = declared.get(block.source)
        if source is None:
            raise UndeclaredSource
        first, last = span(block, source.width)
        first_ms, last_ms = min(first, first_ms), max(last, last_ms)
        frames.append(SourceFrames(source.source_id, source.width, block.times, block.values))
    if last_ms > now + MAX_SKEW_MS:
        raise FrameTime(f"a frame lies {(last_ms - now) / 1000:.0f} s in the future")
    if first_ms < oldest:
        raise FrameTime(f"a frame is {(now - first_ms) / 86_400_000:.1f} days old")
    return Admitted(frames, first_ms, last_ms)
