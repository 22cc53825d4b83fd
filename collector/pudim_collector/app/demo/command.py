"""`pudim admin demo-data`: fills an installation with simulated servers, or takes them away again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.demo.loader import Loaded, Loader, Say, Wish
from pudim_collector.app.demo.machines import DEMO, PREFIX
from pudim_collector.app.keys import collector_key
from pudim_collector.app.operating import DemoFilled, DemoRemoved, tell
from pudim_collector.app.process import migrate_database, shared_database
from pudim_collector.app.settings import Settings
from pudim_collector.features.servers import queries
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.series.statements import run
from pudim_collector.series.turns import upkeep_turn


class DemoServersExist(PudimError):
    """There are simulated servers already."""

    code = "demo_servers_exist"
    hint = "Take them away first: pudim admin demo-data --remove."


async def fill(settings: Settings, wish: Wish, say: Say) -> Loaded:
    """The history ends now. Raises DemoServersExist."""
    async with _alone(settings):
        loaded = await load_demo_servers(settings, wish, say)
        await tell(DemoFilled(len(loaded.servers), wish.days))
        return loaded


async def remove(settings: Settings) -> int:
    """How many simulated servers there were; nothing of them is left."""
    async with _alone(settings):
        removed = await remove_demo_servers()
        await tell(DemoRemoved(removed))
        return removed


async def load_demo_servers(settings: Settings, wish: Wish, say: Say) -> Loaded:
    if await demo_servers():
        raise DemoServersExist
    return await Loader(database, collector_key(settings.data_dir), wish, SystemClock().now()).load(say)


async def remove_demo_servers() -> int:
    found = await demo_servers()
    async with database.transaction(), database.connection() as connection:
        await connection.execute("SET LOCAL statement_timeout = 0")
        await run(connection, "forget_servers", found)
        await queries.delete_servers(found)
    return len(found)


async def demo_servers() -> list[UUID]:
    """What this command made. A host that claims to be simulated is one only if it also has such a name."""
    every = await queries.every_server()
    return [one.id for one in every if one.name.startswith(PREFIX) and DEMO in one.facts]


@asynccontextmanager
async def _alone(settings: Settings) -> AsyncIterator[None]:
    async with shared_database(settings):
        await migrate_database()
        async with upkeep_turn(database):
            yield
