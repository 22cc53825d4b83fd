"""Real servers on loopback that checks are pointed at, certificates for them, and where a check runs in these tests."""

import asyncio
import datetime as dt
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pudim.checks import Outcome, Surroundings, attempt, checks, values
from pudim.checks.addresses import Guard
from pudim.checks.reading import read

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
DAY = dt.timedelta(days=1)


def around(**changed: Any) -> Surroundings:
    return Surroundings(**{"guard": Guard(), "wall": time.time, **changed})


async def found(
    kind: str,
    where: Surroundings | None = None,
    /,
    timeout: float = 5,  # noqa: ASYNC109 - the check's own
    **settings: Any,
) -> Outcome:
    """One run of a check, defined as the collector would."""
    spec = read({"id": "1", "kind": kind, "interval": 120, "timeout": timeout, "settings": settings})
    outcome = await attempt(spec, where or around())
    assert set(outcome.figures) <= set(checks[kind].figures)
    assert len(values(kind, outcome)) == len(checks[kind].figures) + 2
    return outcome


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port on which `handler` is asked; what it raises when a client leaves is its own business."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@dataclass
class Web:
    """A web server that says the same to everybody, or another thing by path, and keeps what it was asked."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    paths: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((line[16:] for line in head.split("\r\n") if line.startswith("Content-Length: ")), "0")
        body = (await reader.readexactly(int(length))).decode()
        self.asked.append(head + body)
        writer.write(self.paths.get(head.split()[1], self.answer))
        await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
        await reader.read()


@dataclass(frozen=True)
class Made:
    """A certificate with its key, and the text that trusts it."""

    pem: str
    context: ssl.SSLContext


class Authority:
    """Signs certificates as the test wants them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key, self._made = folder, ec.generate_private_key(ec.SECP256R1()), 0
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Pudim test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.pem = _pem(
            _draft(self._name, self._name, self._key, -DAY, 3650 * DAY)
            .add_extension(constraints, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def made(
        self,
        *names: str,
        start: dt.timedelta = -DAY,
        end: dt.timedelta = 90 * DAY,
        self_signed: bool = False,
    ) -> Made:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        issuer = subject if self_signed else self._name
        draft = _draft(subject, issuer, key, start, end).add_extension(_names(names), critical=False)
        pem = _pem(draft.sign(key if self_signed else self._key, hashes.SHA256()))
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._made += 1
        path = self._folder / f"{self._made}.pem"
        path.write_bytes(secret + pem.encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return Made(pem, context)


def _names(names: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [x509.IPAddress(ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in names]
    )


def _draft(
    subject: x509.Name, issuer: x509.Name, key: Any, start: dt.timedelta, end: dt.timedelta
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + min(start, end - DAY))
        .not_valid_after(now + end)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
