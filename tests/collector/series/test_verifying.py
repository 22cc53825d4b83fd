"""Verification: silent where all is well, beside whatever runs; each kind of damage is told once, by its place."""

import asyncio
import math
from uuid import UUID, uuid4

import pytest
from psycopg.sql import SQL, Identifier

from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.series.backends import FRAME_BLOCKS, HOUR_BLOCKS, MINUTE_BLOCKS, TimeTable
from pudim_collector.series.block_rows import Place, replace_blocks, stored_blocks
from pudim_collector.series.blocks import (
    Block,
    pack_frames,
    pack_rollup,
    unpack_frame_block,
    unpack_rollup_block,
)
from pudim_collector.series.raw import Unit
from pudim_collector.series.store import Boot, Store
from pudim_collector.series.upkeep import Upkeep, hour_place
from pudim_collector.series.verifying import Checked, Finding, Verifying, hour_of
from tests.collector.series.conftest import NOW
from tests.collector.series.made import commit, frames, source

START = int(NOW.timestamp())
THIS_HOUR = hour_of(NOW)
DONE = THIS_HOUR - 3


class Filled:
    """A server with two sources and frames of the last five hours, rolled up."""

    def __init__(self, store: Store, upkeep: Upkeep, clock: ManualClock) -> None:
        self.store, self.upkeep, self.clock = store, upkeep, clock
        self.server: UUID = uuid4()
        self.sources: list[int] = []
        self.boot: Boot | None = None

    async def take(self, times: list[int], source_id: int | None = None) -> None:
        values = [[time / 7, math.nan if time % 50 == 0 else -0.0] for time in times]
        blocks = [frames(one, times, values) for one in ([source_id] if source_id else self.sources)]
        self.boot = await commit(self.store, self.server, blocks, boot=self.boot)


@pytest.fixture
async def filled(store: Store, clock: ManualClock) -> Filled:
    made = Filled(store, Upkeep(database, store, clock), clock)
    made.sources = await store.declare(made.server, [source("a", "b"), source("a", "b", name="process")])
    await made.take(list(range(START - 5 * 3600, START + 300, 10)))
    await made.upkeep.run_once()
    return made


async def looked(first: int = THIS_HOUR - 6, last: int = THIS_HOUR + 1) -> list[Checked]:
    return [checked async for checked in Verifying(database).hours(first, last)]


async def findings() -> list[Finding]:
    return [finding for checked in await looked() for finding in checked.findings]


async def change(table: TimeTable, place: Place, changed: Block | None) -> None:
    async with database.transaction(), database.connection() as connection:
        await replace_blocks(connection, table, {place: changed} if changed else {})
        if changed is None:
            await connection.execute(
                SQL("DELETE FROM {} WHERE source_id = $1 AND start = $2").format(Identifier(table.name)),
                list(place),
            )


async def block_at(table: TimeTable, place: Place) -> Block:
    async with database.connection() as connection:
        return (await stored_blocks(connection, table, [place]))[place]


async def compacted(filled: Filled) -> bool:
    """Where the extension does that by itself, there are no blocks of frames."""
    assert filled.store.backend is not None
    async with database.connection() as connection:
        return not await filled.store.backend.compacts(connection)


async def test_all_is_well(filled: Filled) -> None:
    checked = await looked()
    assert [one.findings for one in checked] == [[]] * 7
    assert [one.units for one in checked] == [0, 2, 2, 2, 2, 2, 2]
    assert sum(one.frames for one in checked) == 2 * (5 * 360 + 30)
    assert sum(one.waiting for one in checked) == 0


async def test_what_upkeep_has_still_to_do_is_not_judged(filled: Filled) -> None:
    await filled.take([START - 2 * 3600 + 5, START + 305])
    checked = {one.hour: one for one in await looked()}
    assert [one.findings for one in checked.values()] == [[]] * 7
    assert (checked[THIS_HOUR - 2].waiting, checked[THIS_HOUR].waiting, checked[DONE].waiting) == (2, 2, 0)
    await filled.upkeep.run_once()
    assert sum(one.waiting for one in await looked()) == 0
    assert await findings() == []


async def test_minutes_that_differ_are_told_and_repaired(filled: Filled) -> None:
    unit = Unit(filled.sources[0], DONE)
    times, rollup = unpack_rollup_block(await block_at(MINUTE_BLOCKS, unit.place))
    rollup.high[17, 0] = math.nextafter(rollup.high[17, 0], math.inf)
    await change(MINUTE_BLOCKS, unit.place, pack_rollup(times, rollup))
    assert await findings() == [Finding(filled.server, unit, "minutes differ in high", repairable=True)]
    assert await Verifying(database).repair(await findings()) == 1
    assert [one.waiting for one in await looked() if one.hour == DONE] == [1]
    await filled.upkeep.run_once()
    assert await findings() == []


async def test_hours_that_differ_are_told_and_repaired(filled: Filled) -> None:
    unit = Unit(filled.sources[1], DONE)
    place = hour_place(unit)
    times, rollup = unpack_rollup_block(await block_at(HOUR_BLOCKS, place))
    rollup.count[times == DONE * 3_600_000] += 1
    await change(HOUR_BLOCKS, place, pack_rollup(times, rollup))
    found = await findings()
    assert found == [Finding(filled.server, unit, "hours differ in count", repairable=True)]
    await Verifying(database).repair(found)
    await filled.upkeep.run_once()
    assert await findings() == []


async def test_what_is_missing_is_told_and_repaired(filled: Filled) -> None:
    unit = Unit(filled.sources[0], DONE)
    await change(MINUTE_BLOCKS, unit.place, None)
    await change(HOUR_BLOCKS, hour_place(unit), None)
    found = await findings()
    assert [(one.unit.hour, one.what) for one in found if one.what != "hours are missing"] == [
        (DONE, "minutes are missing")
    ]
    assert {one.unit.hour for one in found if one.what == "hours are missing"} == set(
        range(THIS_HOUR - 5, THIS_HOUR - 1)
    )
    assert await Verifying(database).repair(found) == 4
    await filled.upkeep.run_once()
    assert await findings() == []


async def test_a_frame_in_a_row_and_in_a_block_is_told(filled: Filled) -> None:
    """Replays are so until upkeep has seen them; a row that nobody noted stays."""
    if not await compacted(filled):
        pytest.skip("frames stay in rows on this backend")
    unit = Unit(filled.sources[0], DONE)
    await filled.take([START - 3 * 3600], filled.sources[0])
    assert await findings() == []
    async with database.connection() as connection:
        await connection.execute("DELETE FROM dirt")
    found = await findings()
    assert found == [
        Finding(filled.server, unit, "1 frames are both in a row and in a block", repairable=True)
    ]
    await Verifying(database).repair(found)
    await filled.upkeep.run_once()
    assert await findings() == []


async def test_minutes_without_raw_frames_are_told(filled: Filled) -> None:
    unit = Unit(filled.sources[0], DONE)
    async with database.connection() as connection:
        await connection.execute(
            "DELETE FROM frame_blocks WHERE source_id = $1 AND start = $2", list(unit.place)
        )
        await connection.execute(
            "DELETE FROM frames WHERE source_id = $1 AND time >= $2 AND time < $2 + interval '1 hour'",
            list(unit.place),
        )
    assert await findings() == [Finding(filled.server, unit, "minutes without raw frames", repairable=False)]
    assert await Verifying(database).repair(await findings()) == 0


def _cut(block: Block) -> Block:
    return block._replace(body=block.body[:-1])


def _shifted(block: Block) -> Block:
    return block._replace(offsets=[block.offsets[0], block.offsets[-1] + 1, *block.offsets[2:]])


def _fewer(block: Block) -> Block:
    return block._replace(rows=block.rows - 1)


def _scrambled(block: Block) -> Block:
    half = len(block.body) // 2
    return block._replace(body=bytes(half) + block.body[half:])


def _timeless(block: Block) -> Block:
    return block._replace(times=b"\x00" * len(block.times))


def _swapped(block: Block) -> Block:
    return block._replace(times=block.body[: block.offsets[1]])


DAMAGES = [_cut, _shifted, _fewer, _scrambled, _timeless, _swapped]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("table", [FRAME_BLOCKS, MINUTE_BLOCKS, HOUR_BLOCKS], ids=lambda table: table.name)
async def test_a_damaged_block_is_told(filled: Filled, table: TimeTable, damage: object) -> None:
    if table is FRAME_BLOCKS and not await compacted(filled):
        pytest.skip("frames stay in rows on this backend")
    unit = Unit(filled.sources[0], DONE)
    place = hour_place(unit) if table is HOUR_BLOCKS else unit.place
    assert callable(damage)
    await change(table, place, damage(await block_at(table, place)))
    found = [one for one in await findings() if one.unit == unit]
    assert len(found) == 1
    assert found[0].repairable is (table is MINUTE_BLOCKS)
    assert found[0].what.startswith("the block of ") or table is MINUTE_BLOCKS


async def test_a_block_of_another_hour_is_told(filled: Filled) -> None:
    unit, other = Unit(filled.sources[0], DONE), Unit(filled.sources[0], DONE - 1)
    await change(MINUTE_BLOCKS, unit.place, await block_at(MINUTE_BLOCKS, other.place))
    assert [(one.unit, one.what) for one in await findings()] == [
        (unit, "the block of minutes has times that do not fit")
    ]


async def test_frames_that_were_changed_show_in_their_rollups(filled: Filled) -> None:
    if not await compacted(filled):
        pytest.skip("frames stay in rows on this backend")
    unit = Unit(filled.sources[0], DONE)
    times, values = unpack_frame_block(await block_at(FRAME_BLOCKS, unit.place))
    values[0, 0] += 1
    await change(FRAME_BLOCKS, unit.place, pack_frames(times, values))
    assert {(one.unit, one.what.split()[0]) for one in await findings()} == {
        (unit, "minutes"),
        (unit, "hours"),
    }


async def test_nothing_is_found_beside_ingest_and_upkeep(filled: Filled) -> None:
    """Rows are moved, and the space that they leave is emptied, while it reads."""
    ended = asyncio.Event()

    async def working() -> None:
        moment = START - 4 * 3600
        while not ended.is_set():
            moment += 7
            await filled.take([moment, moment + 3600])
            await filled.upkeep.run_once()
            await filled.upkeep.tidy()

    async with asyncio.TaskGroup() as group:
        group.create_task(working())
        for _ in range(6):
            assert await findings() == []
        ended.set()
