"""What a release of the agent is: a signed manifest that names every file by its hash, and which of them a host needs.

A signed release is a 64-byte Ed25519 signature followed by the manifest it is over. Everything in it is hostile until
the signature was checked, and bounded even then.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import ed25519
from succession import RELEASE_DOMAIN, Pin, SuccessionRefused, announced, read, split

DOMAIN = b"pudim agent release\0"
PRODUCT = "pudim-agent"
LAUNCH = "launch.zip"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 64 << 20
MAX_FILES = 512
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,4}")
_HASH = re.compile(r"[0-9a-f]{64}")
_DIRECTORY_DIGITS = 12


class Refused(Exception):
    """Something that must not be installed, or cannot be; the message says why."""


class File(NamedTuple):
    name: str
    sha256: str
    size: int

    def check(self, content: bytes) -> bytes:
        """`content` if it is this file's. Raises Refused."""
        if len(content) != self.size or sha256(content).hexdigest() != self.sha256:
            raise Refused(f"{self.name} is not what the manifest says: it was changed or cut off")
        return content


class Release(NamedTuple):
    """`directory` names this very build: a version built twice is two releases."""

    version: str
    directory: str
    files: dict[str, File]
    targets: dict[str, list[str]]

    def wanted(self, target: str) -> list[File]:
        """The files that a host of this kind needs. Raises Refused."""
        if target not in self.targets:
            raise Refused(
                f"there is no agent for {target}; there is one for {', '.join(sorted(self.targets))}"
            )
        return [self.files[name] for name in [*self.targets[target], LAUNCH]]

    @property
    def order(self) -> tuple[int, ...]:
        return order_of(self.version)


def order_of(version: str) -> tuple[int, ...]:
    """What versions are compared by: 1.2 and 1.2.0 are the same."""
    numbers = [int(one) for one in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def this_target() -> str:
    """Raises Refused where no agent can be for."""
    libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
    if sys.platform != "linux" or not libc:
        raise Refused("the agent's libraries are built for Linux with glibc; this is another system")
    return f"{platform.machine()}-cp{sys.version_info[0]}{sys.version_info[1]}"


def key_from_text(text: str) -> bytes:
    """A public key out of unpadded base64url. Raises Refused."""
    try:
        raw = base64.b64decode(text.strip().encode() + b"=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != ed25519.KEY_BYTES:
        raise Refused(f"{text!r} is not a release key; copy it from the collector's page 'Add server'")
    return raw


def open_signed(signed: bytes, key: bytes) -> Release:
    """The release if `key` signed it. Raises Refused."""
    signature, manifest = signed[: ed25519.SIGNATURE_BYTES], signed[ed25519.SIGNATURE_BYTES :]
    if len(manifest) > MAX_MANIFEST_BYTES or not ed25519.verify(key, signature, DOMAIN + manifest):
        raise Refused("the release is not signed by the pinned release key; nothing of it was used")
    return read_manifest(manifest)


def open_followed(signed: bytes, chain: bytes, key: bytes) -> tuple[Release, bytes]:
    """The release if `key` signed it, or a key that follows from it by the chain; and which one did. Raises Refused."""
    for one in _keys(chain, key):
        if ed25519.verify(one, signed[: ed25519.SIGNATURE_BYTES], DOMAIN + signed[ed25519.SIGNATURE_BYTES :]):
            return open_signed(signed, one), one
    return open_signed(signed, key), key


def _keys(chain: bytes, key: bytes) -> Iterator[bytes]:
    """`key`, and those that follow from it. Raises Refused where a successor is not to be believed."""
    yield key
    pin, now = Pin(key), int(time.time() * 1000)
    try:
        for link in split(chain):
            if read(link).previous == pin.key:
                pin = announced(pin, link, domain=RELEASE_DOMAIN, signed_by=ed25519.verify, now=now)
                pin = pin.shown(pin.believed[-1])
                yield pin.key
    except SuccessionRefused as refused:
        raise Refused(
            f"the successor of the pinned release key is refused ({refused.code}): {refused}"
        ) from refused


def key_to_text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def read_manifest(manifest: bytes) -> Release:
    """Raises Refused."""
    try:
        said = json.loads(manifest)
        files = {name: _file(name, one) for name, one in said["files"].items()}
        targets = {str(name): _names(names, files) for name, names in said["targets"].items()}
        version = said["version"]
        sound = said["format"] == 1 and said["name"] == PRODUCT and _is(_VERSION, version) and LAUNCH in files
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(f"the manifest cannot be read: {error!r}") from error
    if not sound or len(files) > MAX_FILES:
        raise Refused("the manifest is none of an agent that this program can install")
    directory = f"{version}-{sha256(manifest).hexdigest()[:_DIRECTORY_DIGITS]}"
    return Release(version, directory, files, targets)


def _file(name: str, said: dict[str, object]) -> File:
    size, digest = said["size"], said["sha256"]
    if not (
        _is(_NAME, name) and isinstance(size, int) and 0 <= size <= MAX_FILE_BYTES and _is(_HASH, digest)
    ):
        raise ValueError(f"the file {name!r}")
    return File(name, str(digest), size)


def _names(names: list[str], files: dict[str, File]) -> list[str]:
    if any(name not in files for name in names):
        raise ValueError("a target with a file that is not there")
    return list(names)


def _is(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None
