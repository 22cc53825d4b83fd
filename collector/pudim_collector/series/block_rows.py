"""Blocks in the database: whole ones by their source and start, read and replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from pudim_collector.infra.database import Connection
from pudim_collector.series.backends import FRAME_BLOCKS, HOUR_BLOCKS, MINUTE_BLOCKS, TimeTable
from pudim_collector.series.blocks import Block
from pudim_collector.series.statements import run

_COPY: dict[str, LiteralString] = {
    FRAME_BLOCKS.name: "COPY frame_blocks FROM STDIN WITH (FORMAT binary)",
    MINUTE_BLOCKS.name: "COPY minute_blocks FROM STDIN WITH (FORMAT binary)",
    HOUR_BLOCKS.name: "COPY hour_blocks FROM STDIN WITH (FORMAT binary)",
}
_TYPES = ["int4", "timestamptz", "int4", "bytea", "int4[]", "bytea"]


class Place(NamedTuple):
    """Where a block belongs."""

    source_id: int
    start: datetime


async def stored_blocks(
    connection: Connection, table: TimeTable, places: Sequence[Place]
) -> dict[Place, Block]:
    """Those of the blocks that exist."""
    rows = await run(connection, table.name, *_columns(places))
    return {Place(row[0], row[1]): Block(*row[2:]) for row in rows}


async def replace_blocks(connection: Connection, table: TimeTable, blocks: Mapping[Place, Block]) -> None:
    """Put `blocks` in the place of what stood there; needs a transaction."""
    if not blocks:
        return
    await run(connection, f"remove_{table.name}", *_columns(list(blocks)))
    async with connection.cursor() as cursor, cursor.copy(_COPY[table.name]) as copy:
        copy.set_types(_TYPES)
        for place, block in blocks.items():
            await copy.write_row([*place, *block])


def _columns(places: Sequence[Place]) -> tuple[list[int], list[datetime]]:
    return [place.source_id for place in places], [place.start for place in places]
