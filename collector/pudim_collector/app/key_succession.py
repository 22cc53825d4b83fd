"""How a signing key of the data folder is succeeded: the key before signs for the next, which waits beside it until it takes its place.

The key's own file is what counts. The successor's file is written before the chain names it, and takes the key's name
in one step; so whatever a crash leaves, there is one key, and every link that leads to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from pudim.succession import (
    COLLECTOR_DOMAIN,
    LINK_BYTES,
    MAX_LINKS,
    RELEASE_DOMAIN,
    SIGNATURE_BYTES,
    SuccessionRefused,
    Successor,
    read,
    split,
)
from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import generate, private_bytes, public_bytes, signed_by
from pudim_collector.app.keys import FILE_NAME, RELEASE_FILE, signing_key
from pudim_collector.features.installing.service import SUCCESSORS
from pudim_collector.infra.private_files import (
    KeyFileDamagedError,
    KeyFileError,
    changed_by_one,
    read_private,
    replace_private,
)

LIFE = timedelta(days=365)
"""So long after it was made a host may learn of a successor; one that was away for longer is enrolled again."""


class SuccessorWaitsError(PudimError):
    """A successor of this key waits already."""

    code = "successor_waits"
    status = 409
    hint = "Go over to it with --finish, or make another one in its place with --again."


class NoSuccessorError(PudimError):
    """No successor of this key waits."""

    code = "no_successor"
    status = 409
    hint = "Make one first: the same command without --finish."


class SuccessorExpiredError(PudimError):
    """The successor waited for so long that no host would believe it any more."""

    code = "successor_expired"
    status = 409
    hint = "Make another one in its place with --again."


class Line(NamedTuple):
    """The files of one key and its succession; `domain` is what its statements are signed for."""

    key_file: str
    next_file: str
    chain_file: str
    domain: bytes


COLLECTOR = Line(FILE_NAME, "collector.next", "collector.succession", COLLECTOR_DOMAIN)
RELEASE = Line(RELEASE_FILE, "release.next", SUCCESSORS, RELEASE_DOMAIN)
LINES = (COLLECTOR, RELEASE)


@dataclass(frozen=True)
class Succession:
    """`links` lead to the key, the oldest first; `waiting` leads from it to the one that is going to take its place."""

    links: tuple[bytes, ...] = ()
    waiting: bytes | None = None


def succession_of(data_dir: Path, line: Line, own: bytes) -> Succession:
    """Of the key whose public half is `own`. Raises a KeyFileError."""
    links = _links(data_dir, line)
    led = [place for place, link in enumerate(links) if read(link).key == own]
    history = links[: led[-1] + 1] if led else []
    # One whose own key is not here was written down and given up, or belongs to a key that was put there by hand.
    waiting = [
        link
        for link in links[len(history) :]
        if read(link).previous == own and _is_next(data_dir, line, link)
    ]
    return Succession(tuple(history), waiting[-1] if waiting else None)


def begin(data_dir: Path, line: Line, now: datetime, *, again: bool = False) -> Successor:
    """Make a successor and sign for it with the key. Raises SuccessorWaitsError or a KeyFileError."""
    with changed_by_one(data_dir):
        key = signing_key(data_dir / line.key_file)
        own = public_bytes(key)
        found = succession_of(data_dir, line, own)
        if found.waiting is not None and not again:
            raise SuccessorWaitsError
        epoch = max((read(link).epoch for link in _links(data_dir, line)), default=0) + 1
        after = generate()
        said = Successor(epoch, own, public_bytes(after), _ms(now), _ms(now + LIFE))
        link = said.encode() + key.sign(line.domain + said.encode())
        replace_private(data_dir / line.next_file, private_bytes(after))
        replace_private(data_dir / line.chain_file, b"".join([*found.links, link][-MAX_LINKS:]))
    return said


def finish(data_dir: Path, line: Line, now: datetime) -> Successor:
    """The successor takes the key's place; the key is gone. Raises NoSuccessorError, SuccessorExpiredError or a KeyFileError."""
    with changed_by_one(data_dir):
        own = public_bytes(signing_key(data_dir / line.key_file))
        waiting = succession_of(data_dir, line, own).waiting
        if waiting is None:
            raise NoSuccessorError
        said = read(waiting)
        if _ms(now) >= said.expires:
            raise SuccessorExpiredError
        after = signing_key(data_dir / line.next_file)
        replace_private(data_dir / line.key_file, private_bytes(after))
        (data_dir / line.next_file).unlink()
    return said


def _is_next(data_dir: Path, line: Line, link: bytes) -> bool:
    path = data_dir / line.next_file
    try:
        return path.exists() and public_bytes(signing_key(path)) == read(link).key
    except KeyFileError:
        return False


def _links(data_dir: Path, line: Line) -> Sequence[bytes]:
    """All that are written down, each signed by the key before. Raises a KeyFileError."""
    path = data_dir / line.chain_file
    if not path.exists():
        return []
    try:
        links = split(read_private(path, MAX_LINKS * LINK_BYTES))
        said = [read(link) for link in links]
    except SuccessionRefused as refused:
        raise KeyFileDamagedError(f"{path}: {refused}") from refused
    for link, one in zip(links, said, strict=True):
        signed = line.domain + link[:-SIGNATURE_BYTES]
        if not signed_by(one.previous, link[-SIGNATURE_BYTES:], signed):
            raise KeyFileDamagedError(f"{path} holds what the key before did not sign")
    if any(before.epoch >= after.epoch for before, after in pairwise(said)):
        raise KeyFileDamagedError(f"{path} is not in order")
    return links


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
