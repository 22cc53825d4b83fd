"""Installs, enrols and starts the agent, and takes all of it away again. Each step may have been done before."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

import tree
from places import UNIT, USER, Places, write_whole
from release import (
    Refused,
    Release,
    key_from_text,
    key_to_text,
    open_followed,
    read_manifest,
    this_target,
)
from source import Collector, Folder, Source
from trial import is_streaming, read_small, write_trial

TOKEN_VARIABLE = "PUDIM_ENROLMENT_TOKEN"  # noqa: S105 - its name
_OUR_CONFIG = ("agent.toml", "release.pub", "policy.toml", "freeze")
_SETTLE_SECONDS = 30.0
_NOLOGIN = "/usr/sbin/nologin"


def install(places: Places, wish: Namespace) -> None:
    """Raises Refused; what ran before then still runs."""
    _check_rights(places)
    target = this_target()
    source = _source(wish)
    release = read_manifest(source.signed()[64:]) if wish.trust_bundle else _signed_release(source, wish)
    _say(f"release {release.directory} for {target}")
    _folder(places.opt, 0o755)
    previous = tree.current(places)
    tree.install(places, release, target, source.fetch)
    write_trial(places, None)
    with suppress(FileNotFoundError):
        places.failed.unlink()
    tree.switch(places, release.directory)
    tree.refresh_launch(places, release.directory)
    tree.prune(places, [release.directory, *([previous] if previous else [])])
    _set_up(places, wish)
    _start(places, wish)


def _signed_release(source: Source, wish: Namespace) -> Release:
    """What is pinned is the key that signed it, which may have followed since the line was copied."""
    key = key_from_text(wish.release_key or "")
    release, signer = open_followed(source.signed(), source.successors(), key)
    wish.release_key = key_to_text(signer)
    return release


def _source(wish: Namespace) -> Source:
    if wish.bundle:
        return Folder(Path(wish.bundle))
    if not wish.url:
        raise Refused("--url is missing: where the collector answers")
    return Collector(wish.url, wish.ca_file, insecure=wish.insecure)


def _check_rights(places: Places) -> None:
    if _is_host(places) and os.geteuid() != 0:
        raise Refused("installing needs root: put `sudo` before `sh`")


def _is_host(places: Places) -> bool:
    return places.root == Path("/")


def _set_up(places: Places, wish: Namespace) -> None:
    _make_user(places)
    _folder(places.etc, 0o755)
    _folder(places.state, 0o700)
    if wish.release_key:
        write_whole(places.release_key, f"{wish.release_key.strip()}\n".encode())
    _link_command(places)
    _enrol(places, wish)
    _give_to_user(places)
    _folder(places.unit.parent, 0o755)
    write_whole(places.unit, unit_text(places).encode())


def unit_text(places: Places) -> str:
    """The service unit with this host's Python and paths in it."""
    text = (Path(__file__).parent / UNIT).read_text("utf-8")
    return text.replace("/usr/bin/python3", sys.executable).replace("/opt/pudim-agent", str(places.opt))


def _folder(path: Path, mode: int) -> None:
    if not path.is_dir():
        path.mkdir(parents=True, mode=mode)
        path.chmod(mode)


def _link_command(places: Places) -> None:
    wanted = places.current / "bin/pudim"
    _folder(places.command.parent, 0o755)
    if places.command.is_symlink() and places.command.readlink() == wanted:
        return
    if os.path.lexists(str(places.command)):
        _say(f"{places.command} is another program; the agent's is {wanted}")
        return
    places.command.symlink_to(wanted)


def _enrol(places: Places, wish: Namespace) -> None:
    if (places.state / "identity").exists():
        _say("this host is enrolled already; its key and configuration stay")
        return
    token = _token(wish)
    if not token:
        _say("not enrolled: no token was given. Make a line with one on the collector's page 'Add server'")
        return
    if not wish.url or not wish.collector_key:
        raise Refused(
            "--url and --collector-key are needed to enrol; copy the line from the page 'Add server'"
        )
    command = [str(places.current / "bin/pudim"), "agent", "enrol"]
    options = {
        "--url": wish.url,
        "--collector-key": wish.collector_key,
        "--state-dir": str(places.state),
        "--config": str(places.config),
        "--name": wish.name,
        "--interval-ms": wish.interval_ms,
        "--ca-file": wish.ca_file,
    }
    for option, value in options.items():
        command += [option, str(value)] if value else []
    command += ["--insecure"] if wish.insecure else []
    if _run(command, {TOKEN_VARIABLE: token}):
        raise Refused("the agent is installed, but could not enrol; the reason is above")


def _token(wish: Namespace) -> str:
    if wish.token_file:
        try:
            return read_small(Path(wish.token_file)).decode("utf-8", "replace").strip()
        except OSError as error:
            raise Refused(f"{wish.token_file}: {error}") from error
    return wish.token or os.environ.get(TOKEN_VARIABLE, "")


def _make_user(places: Places) -> None:
    if not _is_host(places) or _user() is not None:
        return
    if shutil.which("useradd") is None:
        raise Refused(f"there is no useradd here: make a system account {USER} and run this again")
    home = str(places.state)
    if _run(
        [
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            home,
            "--shell",
            _NOLOGIN,
            USER,
        ]
    ):
        raise Refused(f"the account {USER} could not be made")


def _user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        return None


def _give_to_user(places: Places) -> None:
    """State to the agent's account; the configuration stays root's, and only that account reads it."""
    user = _user()
    if not _is_host(places) or user is None:
        return
    for folder, _, names in os.walk(places.state):
        for path in [Path(folder), *(Path(folder, name) for name in names)]:
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    if places.config.exists():
        os.chown(places.config, 0, user.pw_gid)
        places.config.chmod(0o640)


def _start(places: Places, wish: Namespace) -> None:
    enrolled = (places.state / "identity").exists()
    if not _is_host(places) or not _has_systemd():
        if enrolled:
            _say(f"there is no systemd to start it. Let your init system keep this running, as {USER}:")
            _say(f"  {sys.executable} -I {places.launch} run")
        return
    _run(["systemctl", "daemon-reload"])
    if wish.no_start or not enrolled:
        _say(f"start it with: systemctl enable --now {UNIT}")
        return
    if _run(["systemctl", "enable", "--quiet", UNIT]) or _run(["systemctl", "restart", UNIT]):
        raise Refused(f"the service does not start; see: journalctl -u {UNIT}")
    _await_stream(places)


def _await_stream(places: Places) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        if is_streaming(places, _main_pid()):
            _say("the agent runs and the collector takes its samples")
            return
        time.sleep(0.5)
    _say("the agent runs, but the collector has not taken a sample yet; see: pudim agent doctor")


def _main_pid() -> int:
    found = subprocess.run(
        ["systemctl", "show", "--property=MainPID", "--value", UNIT], stdout=subprocess.PIPE, check=False
    )
    return int(found.stdout.strip() or b"0")


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None


def uninstall(places: Places) -> None:
    """Nothing of the agent stays. Its server's history stays at the collector."""
    _check_rights(places)
    on_host = _is_host(places)
    if on_host and _has_systemd():
        _run(["systemctl", "disable", "--now", "--quiet", UNIT])
    if places.command.is_symlink() and places.opt in places.command.readlink().parents:
        places.command.unlink()
    for path in [places.unit, *(places.etc / name for name in _OUR_CONFIG)]:
        with suppress(FileNotFoundError):
            path.unlink()
    for folder in (places.opt, places.state):
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        places.etc.rmdir()
    if on_host and _has_systemd():
        _run(["systemctl", "daemon-reload"])
    if on_host and _user() is not None and shutil.which("userdel"):
        _run(["userdel", USER])
    _say("the agent is removed; revoke its server on the collector's page if it will not come back")


def _run(command: list[str], more: dict[str, str] | None = None) -> int:
    return subprocess.run(
        command, env={**os.environ, **(more or {})}, stdin=subprocess.DEVNULL, check=False
    ).returncode


def _say(words: str) -> None:
    print(f"pudim-agent: {words}", file=sys.stderr, flush=True)
