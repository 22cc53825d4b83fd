"""What a full spool keeps of its oldest batches: one frame a source and minute, of the mean of each series."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pudim.wire.batches import MAX_BLOCKS, block, encode_blocks, numbers
from pudim.wire.codec import unpack
from pudim.wire.refusals import Malformed
from pudim_agent.records import DamagedRecord, Stored

_MINUTE = 60_000
_BATCH_BYTES = 1 << 17
_BATCH_MS = 30 * _MINUTE
"""If the collector has a part of what a batch stands for after all, the rest of the batch is lost: so much at most."""
_NAN = float("nan")

_Rows = dict[bytes, "tuple[list[int], list[Sequence[float]]]"]
"""Times and rows of values of each source."""


def thinned(batches: Iterable[Stored]) -> Iterator[Stored]:
    """Fewer batches that stand for all of `batches`, which are of one boot and in order. Raises DamagedRecord."""
    made = _Made()
    for minute in _minutes(batches):
        if not made.takes(minute):
            yield made.batch()
            made = _Made()
        made.add(minute)
    if made.rows:
        yield made.batch()


def _minutes(batches: Iterable[Stored]) -> Iterator[_Minute]:
    minute = _Minute()
    for stored in batches:
        rows = _rows(stored)
        if minute.rows and not minute.takes(stored, rows):
            yield minute
            minute = _Minute()
        minute.add(stored, rows)
    if minute.rows:
        yield minute


class _Minute:
    """Raw frames of one minute."""

    def __init__(self) -> None:
        self.rows: _Rows = {}
        self.since = self.seq = self.time_ms = 0

    def takes(self, stored: Stored, rows: _Rows) -> bool:
        same = stored.time_ms // _MINUTE == self.time_ms // _MINUTE
        return same and len(self.rows.keys() | rows.keys()) <= MAX_BLOCKS

    def add(self, stored: Stored, rows: _Rows) -> None:
        self.since = self.since or stored.seq
        self.seq, self.time_ms = stored.seq, stored.time_ms
        _join(self.rows, rows)

    def means(self) -> _Rows:
        """One frame a source, at a time that was sampled: the middle one, as a mean is of the middle."""
        return {
            source: ([times[(len(times) - 1) // 2]], [mean(rows)])
            for source, (times, rows) in self.rows.items()
        }


class _Made:
    """A batch of minutes."""

    def __init__(self) -> None:
        self.rows: _Rows = {}
        self._since = self._seq = self._time_ms = self._began_ms = self._bytes = 0

    def takes(self, minute: _Minute) -> bool:
        return not self.rows or (
            self._bytes < _BATCH_BYTES
            and minute.time_ms - self._began_ms < _BATCH_MS
            and len(self.rows.keys() | minute.rows.keys()) <= MAX_BLOCKS
        )

    def add(self, minute: _Minute) -> None:
        means = minute.means()
        if not self.rows:
            self._since, self._began_ms = minute.since, minute.time_ms
        self._seq, self._time_ms = minute.seq, minute.time_ms
        self._bytes += sum(8 * len(row) for _, rows in means.values() for row in rows)
        _join(self.rows, means)

    def batch(self) -> Stored:
        blocks = [block(source, times, rows) for source, (times, rows) in self.rows.items()]
        return Stored(self._seq, self._time_ms, tuple(self.rows), encode_blocks(blocks), self._since)


def mean(rows: Sequence[Sequence[float]]) -> Sequence[float]:
    """Of each column, over its finite values; NaN where there are none. Never beyond its lowest and highest value."""
    if len(rows) == 1:
        return rows[0]
    return array("d", map(_mean, zip(*rows, strict=False)))


def _mean(column: tuple[float, ...]) -> float:
    found = sum(column) / len(column)
    if found - found != 0.0:  # not finite: some value is not, or their sum is too large
        column = tuple(value for value in column if value - value == 0.0)
        if not column:
            return _NAN
        found = sum(value / len(column) for value in column)
    return min(max(found, min(column)), max(column))


def _join(known: _Rows, new: _Rows) -> None:
    for source, (times, rows) in new.items():
        if source in known:
            known[source][0].extend(times)
            known[source][1].extend(rows)
        else:
            known[source] = times, rows


def _rows(stored: Stored) -> _Rows:
    """Raises DamagedRecord."""
    found: _Rows = {}
    try:
        for source, times, values in unpack(stored.blocks):
            _join(found, {source: _frames(times, values)})
    except (Malformed, ValueError, TypeError) as error:
        raise DamagedRecord from error
    return found


def _frames(times: Any, values: Any) -> tuple[list[int], list[Sequence[float]]]:
    moments, found = numbers("q", times), numbers("d", values)
    width, rest = divmod(len(found), max(1, len(moments)))
    if rest or not width:
        raise DamagedRecord
    return moments.tolist(), [found[at : at + width] for at in range(0, len(found), width)]
