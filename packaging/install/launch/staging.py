"""Fetches and checks an update as the agent's own account; at the next start root checks it again and puts it in place."""

from __future__ import annotations

import base64
import binascii
import os
import shutil
from argparse import Namespace
from hashlib import sha256

import ed25519
import tree
from places import Places, write_whole
from release import Refused, key_from_text, open_followed, this_target
from source import Collector
from trial import read_failed, read_small

_SPARE_BYTES = 256 << 20


def stage(places: Places, wish: Namespace) -> None:
    """Raises Refused, and then nothing is staged."""
    source = Collector(wish.url, wish.ca_file, insecure=wish.insecure)
    signed = source.signed()
    manifest = signed[ed25519.SIGNATURE_BYTES :]
    if (
        signed[: ed25519.SIGNATURE_BYTES] != _signature(wish.signature)
        or sha256(manifest).hexdigest() != wish.digest
    ):
        raise Refused("the collector gives another release than the one that was asked for")
    chain = source.successors()
    release, _ = open_followed(signed, chain, _pinned(places))
    if release.version != wish.version:
        raise Refused(f"the release is {release.version}, not {wish.version}")
    check_newer(places, release.directory, release.order)
    wanted = release.wanted(this_target())
    _check_room(places, sum(one.size for one in wanted))
    shutil.rmtree(places.staged, ignore_errors=True)
    places.staged.mkdir(mode=0o700)
    try:
        for one in wanted:
            write_whole(places.staged / one.sha256, one.check(source.fetch(one)), 0o600)
    except (Refused, OSError):
        shutil.rmtree(places.staged, ignore_errors=True)
        raise
    write_whole(places.staged / "successors", chain, 0o600)
    write_whole(places.staged / "release", signed, 0o600)  # last: with it the update counts as staged


def check_newer(places: Places, directory: str, order: tuple[int, ...]) -> None:
    """Raises Refused: what is older may have faults that are known, and what failed would fail again."""
    if order <= tree.current_order(places):
        raise Refused(f"{directory} is not newer than {tree.current(places)}, which is installed")
    if directory in read_failed(places):
        raise Refused(f"{directory} was tried before and did not stream; install it by hand to try again")


def _pinned(places: Places) -> bytes:
    try:
        return key_from_text(read_small(places.release_key).decode("ascii", "replace"))
    except FileNotFoundError:
        raise Refused(
            "no release key is pinned on this host; whoever installed the agent updates it"
        ) from None


def _signature(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode() + b"==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _check_room(places: Places, needed: int) -> None:
    for folder in (places.state, places.opt):
        found = os.statvfs(folder)
        if found.f_bavail * found.f_frsize < 4 * needed + _SPARE_BYTES:
            raise Refused(
                f"there is too little room in {folder}: an update needs {4 * needed >> 20} MiB and some"
            )
