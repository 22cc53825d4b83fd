"""The keys that signed commands one after another: each signs for the next, so that an agent follows from whichever it knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire.commands import Mandate, sign_succession, verify_succession
from pudim.wire.keys import (
    SIGNATURE_BYTES,
    BadKey,
    from_text,
    generate,
    private_bytes,
    public_bytes,
    public_from_bytes,
    to_text,
)
from pudim.wire.refusals import Refusal
from pudim_collector.app.keys import COMMAND_FILE, SUCCESSION_FILE, command_key
from pudim_collector.infra.private_files import (
    KeyFileDamagedError,
    changed_by_one,
    read_private,
    replace_private,
)

MOST_LINKS = 16
"""An agent that missed more successions than these has to forget what it knows of commands."""
_MOST_BYTES = 16 << 10


class Link(msgspec.Struct, frozen=True):
    """One key; `succession` is the signature of the one before, empty for the first."""

    serial: int
    key: str
    succession: str

    def statement(self) -> bytes:
        return Mandate(self.serial, public_from_bytes(from_text(self.key))).encode()

    def signature(self) -> bytes:
        return from_text(self.succession, SIGNATURE_BYTES) if self.succession else b""


@dataclass(frozen=True)
class CommandKeys:
    """The key that signs now, and how it came to: the oldest link first, its own the last."""

    key: Ed25519PrivateKey = field(repr=False)
    links: tuple[Link, ...]

    @classmethod
    def first(cls, key: Ed25519PrivateKey) -> CommandKeys:
        return cls(key, (Link(1, to_text(public_bytes(key)), ""),))

    def succeeded(self, key: Ed25519PrivateKey) -> CommandKeys:
        serial = self.links[-1].serial + 1
        signature = sign_succession(Mandate(serial, key.public_key()).encode(), self.key)
        link = Link(serial, to_text(public_bytes(key)), to_text(signature))
        return CommandKeys(key, (*self.links, link)[-MOST_LINKS:])


def command_keys(data_dir: Path) -> CommandKeys:
    """Raises a KeyFileError."""
    current, path = CommandKeys.first(command_key(data_dir)), data_dir / SUCCESSION_FILE
    if not path.exists():
        return current
    links = _read(path)
    # One that comes after the key was written down just before a crash, and signs nothing.
    own = [place for place, link in enumerate(links) if link.key == current.links[0].key]
    return CommandKeys(current.key, tuple(links[: own[-1] + 1])) if own else current


def rotate(data_dir: Path) -> CommandKeys:
    """A new key, signed for by the one before; processes that run sign with it from their next start on."""
    command_key(data_dir)
    with changed_by_one(data_dir):
        after = command_keys(data_dir).succeeded(generate())
        replace_private(data_dir / SUCCESSION_FILE, msgspec.json.encode(after.links))
        replace_private(data_dir / COMMAND_FILE, private_bytes(after.key))
    return after


def _read(path: Path) -> list[Link]:
    """Raises a KeyFileError."""
    try:
        links = msgspec.json.decode(read_private(path, _MOST_BYTES), type=list[Link])
        for before, link in pairwise(links):
            previous = public_from_bytes(from_text(before.key))
            verify_succession(link.statement(), link.signature(), previous)
    except (msgspec.DecodeError, UnicodeDecodeError, BadKey, ValueError, OverflowError) as error:
        raise KeyFileDamagedError(f"{path} is no list of keys") from error
    except Refusal as error:
        raise KeyFileDamagedError(f"{path}: {error.detail}") from error
    return links
