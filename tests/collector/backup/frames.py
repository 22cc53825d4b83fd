"""Frames that a backup must bring back."""

import math

import numpy as np

from pudim_collector.series.frames import SourceFrames
from tests.collector.series.made import source

SOURCE = source("a", "b")


def made(source_id: int, times: list[int]) -> SourceFrames:
    """Frames whose values tell their time, some missing."""
    values = np.array([[time / 3, math.nan if time % 7 == 0 else time % 60] for time in times])
    return SourceFrames(
        source_id, 2, (np.array(times, "<i8") * 1000).tobytes(), values.astype("<f8").tobytes()
    )
