"""Sources and frames for the store's tests."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from pudim.wire.layouts import Layout, Series, Source, labels_of
from pudim_collector.infra.database import database
from pudim_collector.series.frames import SourceFrames
from pudim_collector.series.statements import fetch
from pudim_collector.series.store import Boot, Step, Store

BOOT = b"b" * 16


def source(*metrics: str, name: str = "host", **labels: str) -> Source:
    return Source(name, labels_of(labels), Layout(tuple(Series(metric, "1") for metric in metrics)))


def frames(source_id: int, times: Sequence[int], rows: Sequence[Sequence[float]]) -> SourceFrames:
    """Times in seconds since the epoch."""
    values = np.asarray(rows, dtype="<f8")
    return SourceFrames(
        source_id, values.shape[1], (np.asarray(times, dtype="<i8") * 1000).tobytes(), values.tobytes()
    )


async def commit(
    store: Store, server: UUID, blocks: Sequence[SourceFrames], *, boot: Boot | None = None
) -> Boot:
    """Store blocks as the boot's next batch."""
    boot = boot or await store.open_boot(server, BOOT)
    await store.commit(blocks, [Step(boot.ledger_id, boot.last_seq, boot.last_seq + 1, 0)], server.hex)
    return Boot(boot.ledger_id, boot.last_seq + 1)


async def stored_frames() -> list[tuple[int, float, list[float]]]:
    async with database.connection() as connection:
        return [
            (row[0], row[1], row[2])
            for row in await fetch(
                connection,
                "SELECT source_id, extract(epoch FROM time)::float8, values FROM frames ORDER BY source_id, time",
            )
        ]
