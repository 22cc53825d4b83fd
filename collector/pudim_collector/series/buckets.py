"""How a range's buckets are handed out: columns of each series, and a row where something is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

NORMAL_INTERVAL = 10.0
"""Seconds between frames when nobody watches."""
GAP = 2.5
"""A pause of more than this many normal intervals is a gap between raw frames."""

Column = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Buckets of one series, oldest first: start in Unix seconds, and what the samples in it were.

    All have one length. A gap is one row whose count is 0 and whose other values are NaN.
    """

    time: Column
    low: Column
    mean: Column
    high: Column
    count: Column
