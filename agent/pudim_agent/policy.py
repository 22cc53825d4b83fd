"""What this host lets a collector do, as its administrator wrote it down; without a file, nothing but watch.

The file counts only while nobody but root can change it: the file and every directory above it belong to root and are
writable by nobody else, and no symbolic link is on the way. Else it is refused as a whole, with the reason. Nothing that
comes from the network can write it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import BadKey, from_text, public_from_bytes
from pudim_agent.tables import lines
from pudim_agent.unfollowed import NotPlain, open_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_POLICY = Path("/etc/pudim/policy.toml")
FREEZE = "freeze"
"""The name of the file beside the policy that stops every command at once, whatever it holds."""
MAX_BYTES = 1 << 16
MAX_NETWORKS = 256
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_TABLES = ("actions", "checks", "command_key", "frozen")


class PolicyRefused(PudimError):
    """The host's policy does not count, so that the agent only watches."""

    code = "policy_refused"


class PolicyOwner(PolicyRefused):
    """The policy, or a directory above it, belongs to somebody else than root."""

    code = "policy_owner"
    hint = "chown root:root the file and the directories above it."


class PolicyWritable(PolicyRefused):
    """The policy, or a directory above it, can be written by others than root."""

    code = "policy_writable"
    hint = "chmod go-w the file and the directories above it."


class PolicyNotPlain(PolicyRefused):
    """The policy is no plain file, or a symbolic link leads to it."""

    code = "policy_not_plain"
    hint = "Write the file itself to that place."


class PolicyUnreadable(PolicyRefused):
    """The policy cannot be read."""

    code = "policy_unreadable"
    hint = "The agent's user must be able to read the file: chmod 644."


class PolicyTooLong(PolicyRefused):
    """The policy is larger than 64 KiB."""

    code = "policy_too_long"


class PolicyFaults(PolicyRefused):
    """The policy says what cannot be understood."""

    code = "policy_faults"
    hint = "Correct the file; until then the agent only watches."

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True)
class Policy:
    """`allowed` maps an action to its bounds, as that action's `Allowed`. `networks` None means any."""

    allowed: Mapping[str, Any] = field(default_factory=dict)
    networks: tuple[str, ...] | None = None
    command_key: bytes | None = None
    frozen: bool = False
    digest: bytes = b""
    refused: PolicyRefused | None = None

    def told(self) -> dict[str, Any]:
        """The notice `policy`, but for who tells it."""
        return {
            "actions": sorted(self.allowed),
            "frozen": self.frozen,
            "digest": self.digest.hex(),
            "refused": self.refused.code if self.refused else None,
            "reason": self.refused.detail[:1024] if self.refused else None,
            "bounds": {name: _bounds(allowed) for name, allowed in self.allowed.items()},
        }


OBSERVE_ONLY = Policy()


@dataclass(frozen=True)
class Trust:
    """Who may own the policy, and the directory from which on that is asked; tests have another root than `/`."""

    owner: int = 0
    root: str = "/"

    def look(self, path: str, found: os.stat_result) -> None:
        """Raises PolicyOwner or PolicyWritable."""
        if found.st_uid != self.owner:
            raise PolicyOwner(f"{path} belongs to user {found.st_uid}")
        if found.st_mode & _OTHERS_WRITE:
            raise PolicyWritable(f"{path} can be written by others (mode {stat.S_IMODE(found.st_mode):04o})")


ROOT = Trust()


def load(path: Path, trust: Trust = ROOT) -> Policy:
    """What counts now. A file that is refused, or missing, means to watch only; what cannot be known means frozen."""
    frozen = _is_frozen(path.parent / FREEZE)
    try:
        content = _read(path, trust)
        policy = OBSERVE_ONLY if content is None else parse(content)
    except PolicyRefused as refused:
        return Policy(frozen=frozen, refused=refused)
    if not frozen:
        return policy
    return Policy(policy.allowed, policy.networks, policy.command_key, frozen=True, digest=policy.digest)


def check_networks(path: Path, trust: Trust = ROOT) -> tuple[str, ...] | None:
    """Where checks may connect to now; None means anywhere that checks may, and a policy that is refused nowhere."""
    policy = load(path, trust)
    return policy.networks if policy.refused is None else ()


def identity_of(path: Path) -> tuple[object, ...]:
    """Changes whenever the policy or its freezing may have."""
    return tuple(_stamp(one) for one in (path, path.parent / FREEZE))


def parse(content: bytes) -> Policy:
    """Raises PolicyFaults, with all of them."""
    try:
        text = content.decode()
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PolicyFaults([f"not TOML: {error}"]) from error
    faults: list[tuple[tuple[str, ...], str]] = [
        ((name,), "unknown") for name in table if name not in _TABLES
    ]
    allowed = _allowed(table.get("actions", {}), faults)
    networks = _networks(table.get("checks"), faults)
    key = _key(table.get("command_key"), faults)
    frozen = table.get("frozen", False)
    if not isinstance(frozen, bool):
        faults.append((("frozen",), "must be true or false"))
    if faults:
        raise PolicyFaults(_with_lines(text, faults))
    return Policy(allowed, networks, key, frozen, sha256(content).digest())


def _read(path: Path, trust: Trust) -> bytes | None:
    """The file's content, None when there is none. Raises PolicyRefused."""
    try:
        handle = open_file(str(path), trust.look, trust.root)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise PolicyUnreadable(str(error)) from error
    except (NotPlain, OSError, ValueError) as error:
        raise PolicyNotPlain(str(error)) from error
    try:
        content = _whole(handle)
    except OSError as error:
        raise PolicyUnreadable(str(error)) from error
    finally:
        os.close(handle)
    if len(content) > MAX_BYTES:
        raise PolicyTooLong
    return content


def _whole(handle: int) -> bytes:
    """All that is read from it, or a byte more than may be."""
    content = b""
    while part := os.read(handle, MAX_BYTES + 1 - len(content)):
        content += part
    return content


def _is_frozen(freeze: Path) -> bool:
    try:
        freeze.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _stamp(path: Path) -> tuple[object, ...]:
    try:
        found = path.lstat()
    except OSError as error:
        return (type(error).__name__,)
    return (
        found.st_dev,
        found.st_ino,
        found.st_mode,
        found.st_uid,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def _allowed(table: Any, faults: list[tuple[tuple[str, ...], str]]) -> dict[str, Any]:
    if not isinstance(table, dict):
        faults.append((("actions",), "must be a table"))
        return {}
    if not table:
        return {}
    from pudim_agent.actions import actions
    from pudim_agent.typed import record

    found: dict[str, Any] = {}
    for name, bounds in table.items():
        if name not in actions:
            faults.append((("actions", name), f"no such action; there are {', '.join(sorted(actions))}"))
            continue
        wrong: list[tuple[str, str]] = []
        found[name] = record(actions[name].Allowed, bounds, wrong)
        faults.extend((("actions", name, *filter(None, (key,))), said) for key, said in wrong)
    return found


def _networks(table: Any, faults: list[tuple[tuple[str, ...], str]]) -> tuple[str, ...] | None:
    """What `[checks] networks` names; None without it."""
    if table is None:
        return None
    if not isinstance(table, dict):
        faults.append((("checks",), "must be a table"))
        return None
    faults.extend((("checks", name), "unknown") for name in table if name != "networks")
    named = table.get("networks")
    if named is None:
        return None
    if not isinstance(named, list) or len(named) > MAX_NETWORKS:
        faults.append((("checks", "networks"), f"must be a list of at most {MAX_NETWORKS} networks"))
        return None
    try:
        return tuple(str(ip_network(one)) for one in map(_text, named))
    except ValueError as error:
        faults.append((("checks", "networks"), f"not a network: {error}"))
        return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r}")  # noqa: TRY004 - as for a text that is no network
    return value


def _key(value: Any, faults: list[tuple[tuple[str, ...], str]]) -> bytes | None:
    if value is None:
        return None
    try:
        raw = from_text(value if isinstance(value, str) else "")
        public_from_bytes(raw)
    except BadKey:
        faults.append((("command_key",), "is not a key; copy it from `pudim admin command-key`"))
        return None
    return raw


def _with_lines(text: str, faults: Iterable[tuple[tuple[str, ...], str]]) -> list[str]:
    at = lines(text)
    found = [(_line(at, path), f"{'.'.join(path)}: {said}") for path, said in faults]
    return [f"line {line}: {said}" for line, said in sorted(found)]


def _line(at: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    """Of the key, or of the table that lacks it."""
    while path and path not in at:
        path = path[:-1]
    return at.get(path, 1)


def _bounds(allowed: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(allowed).items()}
