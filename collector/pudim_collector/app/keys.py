"""The collector's own keys: made once, kept in private files of the data folder."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire.keys import KEY_BYTES, generate, private_bytes, private_from_bytes
from pudim_collector.app.settings import Settings
from pudim_collector.infra.key_ring import RING_FILE, KeyRing
from pudim_collector.infra.private_files import KeyFileDamagedError, create_private, read_private

FILE_NAME = "collector.key"
RELEASE_FILE = "release.key"
COMMAND_FILE = "command.key"
SUCCESSION_FILE = "command.succession"


def collector_key(data_dir: Path) -> Ed25519PrivateKey:
    """The key that agents pin. Several collectors of one team share it by sharing the file."""
    return _kept(data_dir / FILE_NAME)


def release_key(data_dir: Path) -> Ed25519PrivateKey:
    """The key that releases of the agent are signed with, and that hosts pin when they install it."""
    return _kept(data_dir / RELEASE_FILE)


def command_key(data_dir: Path) -> Ed25519PrivateKey:
    """The key that signs commands to hosts, and nothing else; the collector's own says to agents which it is."""
    return _kept(data_dir / COMMAND_FILE)


def key_ring(settings: Settings, now: datetime) -> KeyRing:
    """The keys for secrets at rest. Only the ring in the data folder is made where it is not there."""
    if settings.secret_keys_file is not None:
        return KeyRing(settings.secret_keys_file, lent=True)
    return KeyRing.made(settings.data_dir / RING_FILE, now)


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Raises a KeyFileError."""
    seed = read_private(path, KEY_BYTES)
    if len(seed) != KEY_BYTES:
        raise KeyFileDamagedError(f"{path} has {len(seed)} bytes instead of {KEY_BYTES}")
    return private_from_bytes(seed)


def _kept(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        create_private(path, private_bytes(generate()))
    return signing_key(path)
