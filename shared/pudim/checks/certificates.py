"""What checks make of TLS: contexts that trust, why one was not trusted, and how long a certificate still holds."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pudim.checks import Down, Figure
from pudim.checks.connecting import Phases, failed

REMAINING = Figure("pudim.check.certificate.remaining")
DAY = 86_400.0
LONGEST_LINE = 16_384
"""Bytes that a line may have on a connection that is read by lines."""
_CODES = {
    9: "certificate_not_yet_valid",
    10: "certificate_expired",
    18: "certificate_self_signed",
    19: "certificate_untrusted",
    20: "certificate_untrusted",
    21: "certificate_untrusted",
    62: "certificate_name",
    64: "certificate_name",
}
"""X509_V_ERR_*, openssl/x509_vfy.h."""


@lru_cache(maxsize=8)
def context(ca: str = "", *, verify: bool = True) -> ssl.SSLContext:
    """Reading the system's authorities takes tens of milliseconds, so the last few are kept. Raises ssl.SSLError."""
    made = ssl.create_default_context(cadata=ca or None)
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made


def authority_faults(ca: str) -> list[tuple[str, str]]:
    """What is wrong with certificates that were pasted."""
    if not ca:
        return []
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ca)
    except (ssl.SSLError, ValueError):
        return [("ca", "must be certificates in PEM")]
    return []


async def secured(
    made: socket.socket, name: str, phases: Phases, *, ca: str, verify: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Speak TLS on a connected socket, which is closed if that fails. Raises Down or Unknown."""
    phases.enter("tls")
    try:
        return await asyncio.open_connection(
            sock=made, ssl=context(ca, verify=verify), server_hostname=name, limit=LONGEST_LINE
        )
    except ssl.SSLError as error:
        raise untrusted(error, name) from error
    except OSError as error:
        raise failed(error, name) from error
    finally:
        phases.end()


def untrusted(error: ssl.SSLError, about: str, figures: Mapping[Figure, float] | None = None) -> Down:
    if isinstance(error, ssl.SSLCertVerificationError):
        code = _CODES.get(error.verify_code, "certificate_invalid")
        return Down(code, f"{about}: {error.verify_message}", figures)
    return Down("tls_failed", f"{about}: {error.reason or 'no TLS is spoken'}", figures)


def peer(transport: Any) -> tuple[float, list[str]]:
    """Of a connected peer's certificate: the end of its validity in seconds since 1970, and the names it is for."""
    found = transport.get_extra_info("ssl_object")
    told = found.getpeercert()
    if told:
        names = [value for kind, value in told.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}]
        return float(ssl.cert_time_to_seconds(told["notAfter"])), names
    return _parsed(found.getpeercert(binary_form=True))


def _parsed(der: bytes) -> tuple[float, list[str]]:
    """Python takes apart only what it has verified."""
    from datetime import timezone

    from cryptography import x509

    certificate = x509.load_der_x509_certificate(der)
    until = certificate.not_valid_after_utc.astimezone(timezone.utc).timestamp()
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return until, [str(one.value) for one in names]
    except (x509.ExtensionNotFound, ValueError):
        return until, []


def too_short(until: float, wall: float, least_days: float, figures: Mapping[Figure, float]) -> Down | None:
    """The fault of a certificate that ends sooner than in `least_days`."""
    rest = (until - wall) / DAY
    if rest < 0:
        return Down("certificate_expired", f"the certificate ended {-rest:.1f} days ago", figures)
    if rest < least_days:
        words = f"the certificate ends in {rest:.1f} days, sooner than in {least_days:g}"
        return Down("certificate_ends_soon", words, figures)
    return None
