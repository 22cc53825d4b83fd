"""Headers that every response carries, so that a browser does with it only what we mean."""

from __future__ import annotations

from collections.abc import Iterable

from litestar.types import HTTPResponseStartEvent, Message, Scope

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Origin-Agent-Cluster": "?1",
    "Permissions-Policy": (
        "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
        "microphone=(), midi=(), payment=(), serial=(), usb=()"
    ),
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
ALWAYS_SENT = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]
_ONE_YEAR = "max-age=31536000"
SUBDOMAINS = "strict_transport_for_subdomains"
"""In the application's state: whether https is promised for the whole domain, which only its owner can know."""
CLEAR_SITE = {"Clear-Site-Data": '"cache", "storage"'}
"""For who signs out. Not cookies: browsers would take those of the whole domain, other sites' on it included."""


def page_policy(nonce: str) -> str:
    """The Content-Security-Policy of a page: our own files, and scripts that carry this response's nonce."""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


async def add_headers(message: Message, scope: Scope) -> None:
    """Litestar's before_send hook; what a handler has set itself stays."""
    if message["type"] != "http.response.start":
        return
    add_missing(message, ALWAYS_SENT)
    if scope["scheme"] == "https":
        everywhere = "; includeSubDomains" if scope["litestar_app"].state.get(SUBDOMAINS) else ""
        add_missing(message, [(b"strict-transport-security", (_ONE_YEAR + everywhere).encode())])


def add_missing(message: HTTPResponseStartEvent, pairs: Iterable[tuple[bytes, bytes]]) -> None:
    """Headers that the response does not have yet, with names in lower case. One look at them all, not one for each."""
    headers = message.setdefault("headers", [])
    there = {name.lower() for name, _ in headers}
    message["headers"] = [*headers, *(pair for pair in pairs if pair[0] not in there)]
