"""What happens at each start of the service: as root an update is put in place or taken back, then the agent runs.

A release on trial is watched from outside by this program, so that one that crashes at import, hangs or never connects
is taken back as well.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import NoReturn

import tree
from places import Places, write_whole
from release import File, Refused, key_from_text, key_to_text, open_followed, this_target
from source import Folder
from staging import check_newer
from trial import (
    FAILS,
    WORKS,
    Step,
    Trial,
    add_failed,
    decide,
    is_streaming,
    read_small,
    read_trial,
    read_verdict,
    write_trial,
    write_verdict,
)

TRY_AGAIN = 75  # EX_TEMPFAIL: the supervisor starts the service anew, and with it `prepare`
_LOOK_SECONDS = 0.2
_BETWEEN_SECONDS = 1.0
_END_SECONDS = 10.0


def prepare(places: Places) -> None:
    """Confirm, take back or put in place, by what was staged and how the last start went."""
    trial = read_trial(places)
    step = decide(trial, read_verdict(places))
    if trial is not None and step is Step.CONFIRM:
        _confirm(places, trial)
    elif trial is not None and step is Step.ROLL_BACK:
        _roll_back(places, trial)
    elif trial is not None and step is Step.TRY:
        write_trial(places, trial._replace(attempts=trial.attempts + 1))
    if step is not Step.TRY and (places.staged / "release").exists():
        _put_in_place(places)


def _confirm(places: Places, trial: Trial) -> None:
    write_trial(places, None)
    tree.refresh_launch(places, trial.release)
    tree.prune(places, [trial.release, trial.previous])
    _say(f"{trial.release} streams and stays")


def _roll_back(places: Places, trial: Trial) -> None:
    add_failed(places, trial.release)
    if (places.opt / trial.previous).is_dir():
        tree.switch(places, trial.previous)
    write_trial(places, None)
    _say(f"{trial.release} did not stream; {trial.previous} is on again")


def _put_in_place(places: Places) -> None:
    try:
        _take_staged(places)
    except (Refused, OSError) as error:
        _say(f"the update is refused: {error}")
    finally:
        shutil.rmtree(places.staged, ignore_errors=True)


def _take_staged(places: Places) -> None:
    key = key_from_text(read_small(places.release_key).decode("ascii", "replace"))
    staged = Folder(places.staged)
    release, signer = open_followed(staged.signed(), staged.successors(), key)
    previous = tree.current(places)
    if previous is None:
        raise Refused("no agent is installed that it could take the place of")
    check_newer(places, release.directory, release.order)
    if signer != key:
        write_whole(places.release_key, f"{key_to_text(signer)}\n".encode())
        _say("the release key is succeeded by the one that it signed for")

    def fetch(one: File) -> bytes:
        return read_small(places.staged / one.sha256, one.size)

    tree.install(places, release, this_target(), fetch)
    write_trial(places, Trial(release.directory, previous, 1))
    tree.switch(places, release.directory)
    _say(f"{release.directory} is on trial")


def run(places: Places, patience: float) -> int:
    """Become the agent; or, while a release is on trial, watch it and say how it went."""
    if os.access(places.opt, os.W_OK) and os.geteuid() == places.opt.stat().st_uid:
        prepare(places)  # without systemd nobody else does
    trial = read_trial(places)
    if trial is not None and read_verdict(places) != f"{WORKS} {trial.release}":
        works = _streams(places, patience)
        if works is None:
            return 0
        write_verdict(places, WORKS if works else FAILS, trial.release)
        return TRY_AGAIN
    return _become(places)


def _command(places: Places) -> list[str]:
    python = places.opt / (tree.current(places) or "current") / "bin" / "python"
    return [str(python), "-I", "-m", "pudim_agent", "--config", str(places.config)]


def _become(places: Places) -> NoReturn:
    command = _command(places)
    try:
        os.execv(command[0], command)  # noqa: S606 - the agent of the release, by argv
    except FileNotFoundError:
        _say(f"{command[0]} is gone, perhaps with an upgrade of Python: run the install line again")
        sys.exit(1)


def _streams(places: Places, patience: float) -> bool | None:
    """Whether the agent on trial has its collector's answer within `patience` seconds; None when told to end."""
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: ended.append(got))
    deadline = time.monotonic() + patience
    for _ in range(3):
        child = subprocess.Popen(_command(places))
        try:
            works = _watch(places, child, deadline, ended)
        finally:
            _end(child)
        if works is not None or ended or time.monotonic() > deadline:
            break
        time.sleep(_BETWEEN_SECONDS)
    return None if ended else bool(works)


def _watch(places: Places, child: subprocess.Popen[bytes], deadline: float, ended: list[int]) -> bool | None:
    """None when the child ended by itself."""
    while child.poll() is None and not ended:
        if is_streaming(places, child.pid):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return None


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _say(words: str) -> None:
    print(f"pudim-agent: {words}", file=sys.stderr, flush=True)
