"""Where a release comes from: the collector over HTTP, or a folder on this host. Sizes are bounded by what is expected."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from release import MAX_MANIFEST_BYTES, File, Refused
from succession import LINK_BYTES, MAX_LINKS
from trial import read_small

MAX_SIGNED_BYTES = MAX_MANIFEST_BYTES + 64
MAX_CHAIN_BYTES = MAX_LINKS * LINK_BYTES
_SECONDS = 60.0
_NOT_FOUND = 404
_PATH = "/agent/v1/bundle"


class NotThere(Refused):
    """The collector has nothing under this address."""


class Source(Protocol):
    """Both raise Refused."""

    def signed(self) -> bytes:
        """Signature and manifest."""
        ...

    def successors(self) -> bytes:
        """How the key that signed came to be, as a chain; empty where it is the first."""
        ...

    def fetch(self, one: File) -> bytes: ...


class Folder:
    """A bundle that was unpacked: `release` and `files/<sha256>`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def signed(self) -> bytes:
        return self._read(self._path / "release", MAX_SIGNED_BYTES)

    def successors(self) -> bytes:
        path = self._path / "successors"
        return self._read(path, MAX_CHAIN_BYTES) if path.exists() else b""

    def fetch(self, one: File) -> bytes:
        return self._read(self._path / "files" / one.sha256, one.size)

    def _read(self, path: Path, most: int) -> bytes:
        try:
            return read_small(path, most)
        except OSError as error:
            raise Refused(f"{path}: {error.strerror or error}") from error


class Collector:
    """What a collector serves below its address. Raises Refused for one that cannot be asked safely."""

    def __init__(self, url: str, ca_file: str | None = None, *, insecure: bool = False) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"{url!r} is no address of a collector; it starts with https://")
        if parts.scheme == "http" and not insecure and not _is_loopback(parts.hostname):
            raise Refused(f"{url!r} is not encrypted; use https://, or add --insecure")
        self._url = url.rstrip("/") + _PATH
        try:
            tls = ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            raise Refused(f"{ca_file}: {error}") from error
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=tls))

    def signed(self) -> bytes:
        return self._get(f"{self._url}/release", MAX_SIGNED_BYTES)

    def successors(self) -> bytes:
        try:
            return self._get(f"{self._url}/successors", MAX_CHAIN_BYTES)
        except NotThere:  # a collector that is older than this program
            return b""

    def fetch(self, one: File) -> bytes:
        return self._get(f"{self._url}/files/{one.sha256}", one.size)

    def _get(self, url: str, most: int) -> bytes:
        try:
            with self._opener.open(url, timeout=_SECONDS) as answer:
                content: bytes = answer.read(most + 1)
        except urllib.error.HTTPError as error:
            refusal = NotThere if error.code == _NOT_FOUND else Refused
            raise refusal(f"{url}: the collector answers {error.code} {error.reason}") from error
        except (OSError, ValueError) as error:
            raise Refused(f"{url}: {getattr(error, 'reason', error)}") from error
        if len(content) > most:
            raise Refused(f"{url}: more comes than {most} bytes")
        return content


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
