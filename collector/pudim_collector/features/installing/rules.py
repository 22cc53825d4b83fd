"""When a bundle of the agent is whole, decided from its manifest and the hashes of what came with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pudim.vocabulary.errors import PudimError

PRODUCT = "pudim-agent"
INSTALL_SCRIPT = "install.sh"
LAUNCH = "launch.zip"
RELEASE_DOMAIN = b"pudim agent release\0"
MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 64 << 20
MAX_FILES = 512
DIGEST = re.compile(r"[0-9a-f]{64}")
_VERSION = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,4}")


class BadBundle(PudimError):
    """This file is no whole bundle of the agent."""

    code = "bad_bundle"
    status = 422
    hint = "Make one with `just bundle`, and copy it again."


@dataclass(frozen=True)
class BundledFile:
    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """Which files a release has, by name, and which of them each kind of host needs."""

    format: int
    name: str
    version: str
    files: Mapping[str, BundledFile]
    targets: Mapping[str, list[str]]

    def check(self) -> None:
        """Raises BadBundle."""
        if self.format != 1 or self.name != PRODUCT or not _VERSION.fullmatch(self.version):
            raise BadBundle("its manifest is none of an agent that this collector knows")
        if not {INSTALL_SCRIPT, LAUNCH} <= self.files.keys() or len(self.files) > MAX_FILES:
            raise BadBundle("its manifest names no installer, or too many files")
        for name, one in self.files.items():
            if not DIGEST.fullmatch(one.sha256) or not 0 <= one.size <= MAX_FILE_BYTES:
                raise BadBundle(f"its manifest says what cannot be of {name!a}")
        for target, names in self.targets.items():
            if not self.files.keys() >= set(names):
                raise BadBundle(f"its manifest names files for {target!a} that it does not have")

    def digests(self) -> set[str]:
        return {one.sha256 for one in self.files.values()}

    def check_file(self, digest: str, size: int) -> None:
        """Raises BadBundle for a file that nothing in the manifest is."""
        if BundledFile(digest, size) not in self.files.values():
            raise BadBundle(f"a file in it ({digest[:12]}) is not what the manifest says")
