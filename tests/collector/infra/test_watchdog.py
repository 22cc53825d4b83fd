"""An embedded server that ends by itself is started again, on the same socket, for as long as it takes."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from pudim_collector.infra.database.embedded import EmbeddedPostgres
from pudim_collector.infra.database.watchdog import Watchdog, restarts
from pudim_collector.infra.supervised import Backoff, Supervisor
from pudim_collector.kernel.clock import SystemClock

pytestmark = pytest.mark.processes
PATIENCE = 60.0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not in pytest's own folder, which another run as root closes to the account that the server runs under.
    with tempfile.TemporaryDirectory(prefix="pudim-test-") as folder:
        yield Path(folder) / "postgres"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder, fsync=False) as server:
        yield server


@asynccontextmanager
async def watched(server: EmbeddedPostgres) -> AsyncIterator[Watchdog]:
    watchdog = Watchdog(server, Backoff(first=0.05, most=0.2))
    async with Supervisor(SystemClock()) as supervisor:
        supervisor.start("database server", watchdog.run)
        yield watchdog
        assert supervisor.healthy


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.cluster / "postmaster.pid").read_text().splitlines()[0])


async def answers(server: EmbeddedPostgres) -> bool:
    try:
        async with await psycopg.AsyncConnection.connect(server.conninfo) as connection:
            await connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


async def back(server: EmbeddedPostgres, watchdog: Watchdog) -> None:
    async with asyncio.timeout(PATIENCE):
        while watchdog.wrong() is not None or not await answers(server):
            await asyncio.sleep(0.05)


async def noticed(watchdog: Watchdog) -> str:
    async with asyncio.timeout(PATIENCE):
        while (wrong := watchdog.wrong()) is None:
            await asyncio.sleep(0.01)
    return wrong


def restarts_counted() -> float:
    return next(sample.value for metric in restarts.collect() for sample in metric.samples)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT, signal.SIGTERM])
async def test_it_is_started_again_however_it_ended(server: EmbeddedPostgres, number: signal.Signals) -> None:
    counted = restarts_counted()
    async with watched(server) as watchdog:
        before = postmaster(server)
        conninfo = server.conninfo
        os.kill(before, number)
        await noticed(watchdog)
        await back(server, watchdog)
        assert postmaster(server) != before
        assert server.conninfo == conninfo
        assert restarts_counted() == counted + 1


async def test_a_server_that_was_taken_over_is_watched_too(server: EmbeddedPostgres) -> None:
    taken_over = EmbeddedPostgres(server.folder, fsync=False)
    assert server._lock is not None
    server._lock.close()  # as if its Pudim had been killed
    with taken_over:
        async with watched(taken_over) as watchdog:
            os.kill(postmaster(taken_over), signal.SIGKILL)
            await noticed(watchdog)
            await back(taken_over, watchdog)


async def test_it_says_why_there_is_no_starting_and_goes_on_trying(server: EmbeddedPostgres) -> None:
    settings = server.cluster / "postgresql.conf"
    right = settings.read_text()
    async with watched(server) as watchdog:
        settings.write_text("no_such_setting_at_all = 1\n")
        os.kill(postmaster(server), signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while "does not start" not in (watchdog.wrong() or ""):
                await asyncio.sleep(0.01)
        assert "FATAL" in (watchdog.wrong() or "")
        assert "configuration file" in (watchdog.wrong() or "")
        settings.write_text(right)
        await back(server, watchdog)


async def test_a_folder_that_was_closed_to_its_account_is_opened_again(server: EmbeddedPostgres) -> None:
    closed = server.folder.parent
    async with watched(server) as watchdog:
        closed.chmod(0o700)
        os.kill(postmaster(server), signal.SIGKILL)
        await noticed(watchdog)
        await back(server, watchdog)


async def test_a_pudim_that_ends_while_it_starts_the_server_again_leaves_none(
    server: EmbeddedPostgres,
) -> None:
    async with watched(server) as watchdog:
        os.kill(postmaster(server), signal.SIGKILL)
        await noticed(watchdog)
    server.stop()
    left = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert not [command for command in left if str(server.cluster) in command]


async def test_where_its_socket_lies_elsewhere_it_stays_there(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / ("deep " + "x" * 90), fsync=False) as server:
        async with watched(server) as watchdog:
            os.kill(postmaster(server), signal.SIGKILL)
            await noticed(watchdog)
            await back(server, watchdog)
