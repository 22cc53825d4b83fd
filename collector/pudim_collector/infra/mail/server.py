"""The operator's mail server: where it is, how it is secured, and who signs in to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parseaddr
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from pudim.checks.addresses import plain
from pudim.checks.connecting import is_host
from pudim_collector.infra.mail.addresses import address
from pudim_collector.infra.mail.errors import BadAddress

LONGEST_PASSWORD = 1024
LONGEST_NAME = 128


class Security(StrEnum):
    """The scheme of the URL says it: whether TLS is asked for (and then had), there from the start, or not there."""

    STARTTLS = "smtp"
    TLS = "smtps"
    NONE = "smtp+plain"


_PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


@dataclass(frozen=True)
class SmtpServer:
    """`ca_file` holds authorities that are trusted besides the system's."""

    host: str
    port: int
    security: Security
    sender: str
    sender_name: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @classmethod
    def parse(
        cls, url: str, sender: str, password_file: Path | None = None, ca_file: Path | None = None
    ) -> SmtpServer:
        """Raises ValueError, whose words hold nothing of the URL."""
        parts = _split(url)
        security = Security(parts.scheme)
        host = parts.hostname or ""
        username = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        if password_file is not None:
            password = _password(password_file)
        if (username is None) != (password is None):
            raise ValueError("needs a name and a password, or neither")
        if password is not None and security is Security.NONE and not _is_here(host):
            raise ValueError("would send a password without TLS")
        name, found = _sender(sender)
        return cls(host, parts.port or _PORTS[security], security, found, name, username, password, ca_file)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if _is_good(parts) and url.isprintable():
            return parts
    except ValueError:
        pass  # what the standard library says may repeat the password
    raise ValueError("must be like smtp://name@mail.example.org:587")


def _is_good(parts: SplitResult) -> bool:
    return (
        parts.scheme in set(Security)
        and is_host(parts.hostname or "")
        and parts.port != 0
        and parts.path in {"", "/"}
        and not (parts.query or parts.fragment)
    )


def _password(path: Path) -> str:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError("has a password file that cannot be read") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(text) > LONGEST_PASSWORD or not text.isprintable():
        raise ValueError("has a password file that holds no password in one line")
    return text


def _sender(text: str) -> tuple[str, str]:
    """Name and address. Raises ValueError."""
    name, found = parseaddr(text)
    if not found or len(name) > LONGEST_NAME or not text.isprintable():
        raise ValueError("needs a sender like Pudim <pudim@example.org>")
    try:
        return name, address(found)
    except BadAddress as error:
        raise ValueError("needs a sender like Pudim <pudim@example.org>") from error


def _is_here(host: str) -> bool:
    found = plain(host)
    return host == "localhost" or (found is not None and found.is_loopback)
