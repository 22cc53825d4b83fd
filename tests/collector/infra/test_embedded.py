"""The embedded server starts, stops, is taken over after a kill, and never runs twice on one folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from pudim_collector.infra.database.embedded import (
    DataFolderInUseError,
    DataFolderVersionError,
    EmbeddedDatabaseError,
    EmbeddedPostgres,
)

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("embedded") / "postgres"
    with EmbeddedPostgres(made, fsync=False):
        pass
    return made


def ask(conninfo: str, sql: str) -> object:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(sql.encode()).fetchone()
        return row[0] if row else None


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_it_listens_on_no_port_and_keeps_its_folder_private(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as server:
        conninfo = server.conninfo
        assert ask(conninfo, "SHOW listen_addresses") == ""
        assert ask(conninfo, "SHOW jit") == "off"
        assert ask(conninfo, "SHOW TimeZone") == "UTC"
        process = psutil.Process(postmaster(folder))
        assert not [one for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
        assert process.uids().real != 0
        assert folder.stat().st_mode & 0o077 == 0
    assert not process.is_running()


def test_it_keeps_what_was_written(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as server, psycopg.connect(server.conninfo) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with EmbeddedPostgres(folder, fsync=False) as server:
        assert ask(server.conninfo, "SELECT answer FROM kept") == 42


def test_a_second_one_on_the_same_folder_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as server:
        with pytest.raises(DataFolderInUseError):
            EmbeddedPostgres(folder, fsync=False).start()
        assert ask(server.conninfo, "SELECT 1") == 1


def test_a_command_joins_the_server_that_runs(folder: Path) -> None:
    command = EmbeddedPostgres(folder, fsync=False)
    assert command.running_conninfo() is None
    with EmbeddedPostgres(folder, fsync=False) as server:
        found = command.running_conninfo()
        assert found == server.conninfo
        assert ask(found, "SELECT current_database()") == "pudim"
    assert command.running_conninfo() is None


START_AND_WAIT = """
import sys, time, pathlib
from pudim_collector.infra.database.embedded import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), fsync=False)
print(server.start(), flush=True)
try:
    time.sleep(60)
finally:
    server.stop()
"""


def start_elsewhere(folder: Path) -> tuple["subprocess.Popen[str]", str]:
    process = subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        return process, output.readline().strip()


def test_a_server_whose_parent_was_killed_is_taken_over(folder: Path) -> None:
    parent, conninfo = start_elsewhere(folder)
    before = postmaster(folder)
    parent.kill()
    parent.wait()
    assert ask(conninfo, "SELECT 1") == 1
    with EmbeddedPostgres(folder, fsync=False) as server:
        assert server.conninfo == conninfo
        assert postmaster(folder) == before
        assert ask(conninfo, "SELECT 1") == 1
    assert not psutil.pid_exists(before)


def test_everything_killed_at_once_starts_again(folder: Path) -> None:
    parent, conninfo = start_elsewhere(folder)
    with psycopg.connect(conninfo) as connection:
        connection.execute("CREATE TABLE survived AS SELECT 1 AS one")
    server = psutil.Process(postmaster(folder))
    for process in [server, *server.children()]:
        process.kill()
    parent.kill()
    parent.wait()
    assert (folder / "data" / "postmaster.pid").exists()
    with EmbeddedPostgres(folder, fsync=False) as again:
        assert ask(again.conninfo, "SELECT one FROM survived") == 1


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False):
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getpid())
    (folder / "data" / "postmaster.pid").write_text("\n".join(lines))
    with EmbeddedPostgres(folder, fsync=False) as server:
        assert ask(server.conninfo, "SELECT 1") == 1


def test_ctrl_c_stops_it_once_and_cleanly(folder: Path) -> None:
    parent, conninfo = start_elsewhere(folder)
    server = postmaster(folder)
    with psycopg.connect(conninfo):
        started = time.monotonic()
        os.killpg(parent.pid, signal.SIGINT)
        parent.wait(10)
    assert time.monotonic() - started < 5
    assert not psutil.pid_exists(server)
    assert not (folder / "data" / "postmaster.pid").exists()


def test_a_long_path_still_gets_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("deep " + "x" * 90)
    server = EmbeddedPostgres(deep, fsync=False)
    conninfo = server.start()
    try:
        assert ask(conninfo, "SELECT 1") == 1
        socket = Path(str(psycopg.conninfo.conninfo_to_dict(conninfo)["host"]))
        assert socket.stat().st_mode & 0o077 == 0
    finally:
        server.stop()
    assert not socket.exists()


def test_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(DataFolderVersionError, match="PostgreSQL 15"):
        EmbeddedPostgres(tmp_path).start()


def test_a_broken_cluster_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "PG_VERSION").write_text("18\n")
    with pytest.raises(EmbeddedDatabaseError, match=r"postgresql\.conf"):
        EmbeddedPostgres(tmp_path).start()
    with pytest.raises(EmbeddedDatabaseError):  # and it let go of the folder
        EmbeddedPostgres(tmp_path).start()
