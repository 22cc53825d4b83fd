"""Who this agent is: its own key and id, kept private in the state directory and replaced only as a whole."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import BadKey, from_text, generate, private_bytes, private_from_bytes, to_text

_FILE = "identity"


class NotEnrolled(PudimError):
    """This host is not enrolled."""

    code = "not_enrolled"
    hint = "Run: pudim agent enrol --url URL --token TOKEN --collector-key KEY"


class DamagedIdentity(PudimError):
    """The agent's identity file cannot be read."""

    code = "damaged_identity"
    hint = "Enrol this host again."


class ExposedIdentity(PudimError):
    """Other users of this host can read the agent's key."""

    code = "exposed_identity"
    hint = "chmod 600 the file, and enrol again if somebody may have read it."


@dataclass(frozen=True)
class Identity:
    agent_id: UUID
    key: Ed25519PrivateKey


def fresh_key() -> Ed25519PrivateKey:
    return generate()


def save(state_dir: Path, identity: Identity) -> None:
    text = f"{identity.agent_id}\n{to_text(private_bytes(identity.key))}\n"
    write_private(state_dir / _FILE, text.encode())


def load(state_dir: Path) -> Identity:
    """Raises NotEnrolled, DamagedIdentity or ExposedIdentity."""
    path = state_dir / _FILE
    try:
        mode, text = path.stat().st_mode, path.read_bytes().decode("ascii")
    except FileNotFoundError as error:
        raise NotEnrolled(f"no agent is enrolled in {state_dir}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedIdentity(f"{path}: {error}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ExposedIdentity(f"{path} has mode {stat.S_IMODE(mode):04o}")
    try:
        agent_id, key, *_ = text.splitlines()
        return Identity(UUID(agent_id), private_from_bytes(from_text(key)))
    except (ValueError, BadKey) as error:
        raise DamagedIdentity(f"{path} is damaged") from error


def write_private(path: Path, content: bytes) -> None:
    """Mode 0600 from its first byte, and either the old file or the whole new one whatever happens meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    fresh.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names that were added to or removed from a directory last through a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
