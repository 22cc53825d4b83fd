"""The collector's own Ed25519 keys: made once, kept in private files of the data folder."""

from __future__ import annotations

import os
import secrets as random
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire.keys import generate, private_bytes, private_from_bytes

FILE_NAME = "collector.key"
RELEASE_FILE = "release.key"
COMMAND_FILE = "command.key"


def collector_key(data_dir: Path) -> Ed25519PrivateKey:
    """The key that agents pin. Several collectors of one team share it by sharing the file."""
    path = data_dir / FILE_NAME
    if not path.exists():
        _create(path, private_bytes(generate()))
    return private_from_bytes(path.read_bytes())


def release_key(data_dir: Path) -> Ed25519PrivateKey:
    """The key that releases of the agent are signed with, and that hosts pin when they install it."""
    path = data_dir / RELEASE_FILE
    if not path.exists():
        _create(path, private_bytes(generate()))
    return private_from_bytes(path.read_bytes())


def command_key(data_dir: Path) -> Ed25519PrivateKey:
    """The key that signs commands to hosts, and nothing else; the collector's own says to agents which it is."""
    path = data_dir / COMMAND_FILE
    if not path.exists():
        _create(path, private_bytes(generate()))
    return private_from_bytes(path.read_bytes())


def _create(path: Path, secret: bytes) -> None:
    """Whole or not at all, and never over another process' key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Not named by the process: a killed start's draft must not be in the way, and in a container all ids are alike.
    draft = path.with_name(f"{path.name}.{random.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        with draft.open("wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
