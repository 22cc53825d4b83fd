"""Keeps the release of the agent that this collector offers, and signs it with the installation's release key."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import SIGNATURE_BYTES, public_bytes, to_text
from pudim_collector.features.installing.rules import (
    DIGEST,
    INSTALL_SCRIPT,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    RELEASE_DOMAIN,
    BadBundle,
    Manifest,
)

FOLDER = "agent-release"
SUCCESSORS = "release.succession"
INSTALL_PATH = "/agent/v1/install.sh"
_RELEASE = "release"
_MANIFEST = "manifest.json"
_FILES = "files"


class NoAgentBundle(PudimError):
    """This collector has no bundle of the agent to give away."""

    code = "no_agent_bundle"
    status = 404
    hint = "Make one with `just bundle`, and give it to `pudim admin agent-bundle`."


@dataclass(frozen=True)
class Releases:
    """`key` is the release key; hosts pin its public half from the install line."""

    data_dir: Path
    key: Ed25519PrivateKey

    @property
    def public_key(self) -> str:
        return to_text(public_bytes(self.key))

    def is_offered(self) -> bool:
        return (self._folder / _RELEASE).is_file()

    def offered(self) -> Manifest:
        """Raises NoAgentBundle."""
        return _manifest(self.signed()[SIGNATURE_BYTES:])

    def signed(self) -> bytes:
        """Signature and manifest. Raises NoAgentBundle."""
        try:
            return (self._folder / _RELEASE).read_bytes()
        except FileNotFoundError as error:
            raise NoAgentBundle from error

    def successors(self) -> bytes:
        """The chain of release keys, from which a host that pinned an earlier one follows."""
        try:
            return (self.data_dir / SUCCESSORS).read_bytes()
        except FileNotFoundError:
            return b""

    def sign_anew(self) -> None:
        """What is on offer, with this key. Raises NoAgentBundle."""
        document = self.signed()[SIGNATURE_BYTES:]
        _write(self._folder / _RELEASE, self.key.sign(RELEASE_DOMAIN + document) + document)

    def names(self) -> tuple[str, str]:
        """What a command names this release by: its manifest's SHA-256 and its signature. Raises NoAgentBundle."""
        signed = self.signed()
        return sha256(signed[SIGNATURE_BYTES:]).hexdigest(), to_text(signed[:SIGNATURE_BYTES])

    def update(self) -> dict[str, str] | None:
        """What `self_update` is told of this release; None if there is none."""
        if not self.is_offered():
            return None
        manifest, signature = self.names()
        return {"version": self.offered().version, "manifest": manifest, "signature": signature}

    def install_script(self) -> bytes:
        """Raises NoAgentBundle."""
        return self.path_of(self.offered().files[INSTALL_SCRIPT].sha256).read_bytes()

    def path_of(self, digest: str) -> Path:
        """The file of the release with this SHA-256. Raises NoAgentBundle."""
        path = self._folder / _FILES / digest
        if not DIGEST.fullmatch(digest) or not path.is_file():
            raise NoAgentBundle("no release has a file with this hash")
        return path

    def add(self, bundle: Path) -> Manifest:
        """Offer the agent in this tar file from now on. Raises BadBundle; then what was offered before still is."""
        files = self._folder / _FILES
        files.mkdir(mode=0o700, parents=True, exist_ok=True)
        before = self._digests()
        try:
            with tarfile.open(bundle, "r:") as archive:
                document = _read(archive, _next(archive, _MANIFEST), MAX_MANIFEST_BYTES)
                manifest = _manifest(document)
                manifest.check()
                _take_files(archive, manifest, files)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BadBundle(f"{bundle}: {error}") from error
        missing = [name for name, one in manifest.files.items() if not (files / one.sha256).is_file()]
        if missing:
            raise BadBundle(f"it lacks {missing[0]!a}, which its manifest names")
        _write(self._folder / _RELEASE, self.key.sign(RELEASE_DOMAIN + document) + document)
        self._forget(files, manifest.digests() | before)
        return manifest

    @property
    def _folder(self) -> Path:
        return self.data_dir / FOLDER

    def _digests(self) -> set[str]:
        try:
            return self.offered().digests()
        except NoAgentBundle:
            return set()

    @staticmethod
    def _forget(files: Path, kept: set[str]) -> None:
        """The release before stays for hosts that are in the middle of fetching it."""
        for path in files.iterdir():
            if path.name not in kept:
                path.unlink()


def _manifest(document: bytes) -> Manifest:
    try:
        return msgspec.json.decode(document, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadBundle(f"its manifest cannot be read: {error}") from error


def _take_files(archive: tarfile.TarFile, manifest: Manifest, files: Path) -> None:
    for _ in range(MAX_FILES):
        member = archive.next()
        if member is None:
            return
        content = _read(archive, member, MAX_FILE_BYTES)
        digest = sha256(content).hexdigest()
        manifest.check_file(digest, len(content))
        _write(files / digest, content)
    raise BadBundle("it has too many files")


def _next(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    member = archive.next()
    if member is None or member.name != name:
        raise BadBundle(f"it does not begin with {name}")
    return member


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    file = archive.extractfile(member) if member.isreg() and member.size <= most else None
    if file is None:
        raise BadBundle(f"{member.name!a} in it is no file, or too large")
    return file.read()


def _write(path: Path, content: bytes) -> None:
    """Either the old file or the whole new one, whatever happens meanwhile."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
