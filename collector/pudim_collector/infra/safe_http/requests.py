"""What is asked and what comes back, and which parts of a request may go on to another origin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pudim.checks.http_client import Target
from pudim_collector.infra.safe_http.errors import BadRedirect, BadRequest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
MOST_HEADERS = 64
LONGEST_HEADER = 8190
MOST_BYTES = 1 << 20
LONGEST_PATIENCE = 60.0
MOST_REDIRECTS = 5
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OURS = frozenset(
    {
        *(
            "accept-encoding",
            "connection",
            "content-length",
            "expect",
            "host",
            "keep-alive",
            "proxy-authorization",
        ),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that say how the connection is used; another's word on that could make two requests of one."""
_HARMLESS = frozenset({"accept", "accept-language", "user-agent"})
"""All that goes on to another origin: any other header may be a secret."""
_BECOMES_GET = {301: {"POST"}, 302: {"POST"}, 303: METHODS - {"GET", "HEAD"}}


@dataclass(frozen=True)
class Request:
    """`most_bytes` of the answer's body, as sent and as unpacked; `patience` is for all of it, in seconds."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    body: bytes | None = field(default=None, repr=False)
    redirects: int = 0
    most_bytes: int = MOST_BYTES
    patience: float = 10.0

    def check(self) -> None:
        """Raises BadRequest."""
        if self.method not in METHODS:
            raise BadRequest(f"The method must be one of {', '.join(sorted(METHODS))}.")
        if not 0 < self.patience <= LONGEST_PATIENCE or not 0 <= self.redirects <= MOST_REDIRECTS:
            raise BadRequest("Patience or redirects are out of their range.")
        if len(self.headers) > MOST_HEADERS:
            raise BadRequest(f"There are more than {MOST_HEADERS} headers.")
        for name, value in self.headers.items():
            _check_header(name, value)


@dataclass(frozen=True)
class Answer:
    """`headers` by lower-case name, of one that comes twice the last; `url` without its query, which may be a secret."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str


def redirected(request: Request, before: Target, after: Target, status: int) -> Request:
    """The request as it goes on. Raises BadRedirect where it would bring a body to another origin."""
    if request.method in _BECOMES_GET.get(status, ()):
        request = replace(request, method="GET", body=None, headers=_without_body(request.headers))
    if before.origin == after.origin:
        return request
    if request.body is not None:
        raise BadRedirect("The server leads what was sent to it to another server.")
    return replace(request, headers={k: v for k, v in request.headers.items() if k.lower() in _HARMLESS})


def _without_body(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.lower().startswith("content-")}


def _check_header(name: str, value: str) -> None:
    if not _NAME.fullmatch(name) or name.lower() in _OURS:
        raise BadRequest("A header has a name that may not be sent.")
    if not _VALUE.fullmatch(value) or len(value) > LONGEST_HEADER:
        raise BadRequest(f"The header {name} has a value that may not be sent.")
