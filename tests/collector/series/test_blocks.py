"""The codec gives back what it was given, bit for bit, one column at a time."""

import base64
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pudim_collector.series.blocks import (
    Block,
    Floats,
    Rollup,
    columns_of,
    pack_frames,
    pack_rollup,
    unpack_frame_block,
    unpack_rollup,
    unpack_rollup_block,
    unpack_times,
    unpack_values,
)

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 5))
ANY = st.floats(width=64, allow_nan=False) | st.just(math.nan)


def bits(values: Floats) -> list[int]:
    """NaNs compare too."""
    return [int(one) for one in np.ascontiguousarray(values).view(np.int64).ravel()]


@settings(max_examples=150, deadline=None)
@given(values=npst.arrays(np.float64, SHAPES, elements=ANY), start=st.integers(0, 2**45))
def test_frames_come_back(values: Floats, start: int) -> None:
    times = start + np.arange(len(values), dtype=np.int64) * 10_000
    block = pack_frames(times, values)
    assert block.rows == len(values)
    found_times, found = unpack_frame_block(block)
    assert found_times.tolist() == times.tolist()
    assert bits(found) == bits(values)


def test_one_column_is_read_without_the_others() -> None:
    values = np.arange(30.0).reshape(10, 3)
    block = pack_frames(np.arange(10, dtype=np.int64), values)
    assert block.offsets[0] == 0
    assert block.offsets[-1] == len(block.body)
    for number, column in enumerate(columns_of(block.offsets, block.body)):
        np.testing.assert_array_equal(unpack_values(column), values[:, number])
    np.testing.assert_array_equal(unpack_times(block.times), np.arange(10))


def rollup_of(count: Floats, low: Floats) -> Rollup:
    low = np.where(count > 0, low, np.nan)
    return Rollup(count, low, low + 1, low * 2)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), shape=SHAPES)
def test_rollups_come_back(data: st.DataObject, shape: tuple[int, int]) -> None:
    count = data.draw(npst.arrays(np.float64, shape, elements=st.integers(0, 6).map(float)))
    low = data.draw(npst.arrays(np.float64, shape, elements=st.floats(-1e9, 1e9)))
    rollup = rollup_of(count, low)
    times, found = unpack_rollup_block(pack_rollup(np.arange(shape[0], dtype=np.int64) * 60_000, rollup))
    assert times.tolist() == [60_000 * n for n in range(shape[0])]
    for mine, its in zip(
        (found.count, found.low, found.high, found.total),
        (rollup.count, rollup.low, rollup.high, rollup.total),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, its)


def test_what_is_missing_is_not_zero() -> None:
    nothing = np.full((4, 1), np.nan)
    block = pack_rollup(np.arange(4, dtype=np.int64), Rollup(np.zeros((4, 1)), nothing, nothing, nothing))
    column = unpack_rollup(columns_of(block.offsets, block.body)[0])
    assert column.count.tolist() == [0.0] * 4
    assert np.isnan([column.low, column.high, column.total]).all()


def test_what_hosts_measure_is_small() -> None:
    """A third near-constant, a third percentages walking by 0.1, a third integer rates."""
    rng = np.random.default_rng(1)
    constant = np.repeat(np.round(rng.uniform(0, 1e9, (1, 40))), 360, axis=0)
    walking = rng.uniform(0, 100, (1, 40)) + np.cumsum(rng.choice([-0.1, 0.0, 0.1], (360, 40)), axis=0)
    values = np.concatenate(
        [constant, np.round(walking, 1), rng.poisson(200, (360, 40)).astype(float)], axis=1
    )
    block = pack_frames(np.arange(360, dtype=np.int64) * 10_000, values)
    assert len(block.body) / values.size < 1


def test_what_was_written_long_ago_is_still_read() -> None:
    """Stored bytes outlive the library that wrote them: these were written by pcodec 1.1."""
    body = (
        "cGNvIQMAQgEEAQYEAAAAEAAAAAAAAACA/wUAAHBjbyEDAEIBBAEGBAAAAEMAgGZmZmZmZu4vQJqZmZmZmcm/gMzMzMzMzEz/"
        "AqKZmZmZmZn9CwDoAgUAAHBjbyEDAEIBBAEGBAAAAEMAwP//////v/gPIAAAAAAAAAzAgAAAAACUNTcHAwQAAAAAAID/DwDRAAAAAA=="
    )
    times = "cGNvIQMAQgEEAQQEAAAAEAAAQCSC8wwAAIQAAAAQJyBOMHVAnAA="
    block = Block(5, base64.b64decode(times), [0, 28, 88, 148], base64.b64decode(body))
    found_times, values = unpack_frame_block(block)
    assert found_times.tolist() == [1_780_000_000_000 + 10_000 * n for n in range(5)]
    wanted = [[1.0, 0.1, math.nan], [1.0, 0.2, 3.5], [1.0, 0.4, math.nan], [1.0, 0.3, -7.25], [1.0, 0.2, 1e9]]
    np.testing.assert_array_equal(values, wanted)
