"""Bounds on a connection before there is a request: how long its head may be, how slowly it may come, how slowly be read.

uvicorn's protocol with httptools waits for a head, and for a client that reads, as long as the client likes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.headers import ALWAYS
from pudim_collector.infra.problems import MEDIA_TYPE, problem_of

_ONCE = frozenset({b"host", b"authorization", b"content-type", b"origin", b"sec-fetch-site", b"x-csrf-token"})
"""Of two of these, a proxy may believe the first and we the last."""


class MalformedRequest(PudimError):
    """This is no HTTP request."""

    code = "malformed_request"
    status = 400


class AddressTooLong(PudimError):
    """The request's address is too long."""

    code = "address_too_long"
    status = 414
    hint = "Ask for less at once."


class HeadTooLarge(PudimError):
    """The request has too many headers, or too long ones."""

    code = "head_too_large"
    status = 431
    hint = "Delete this site's cookies if a browser sent it."


class HeadTooSlow(PudimError):
    """The request did not arrive in time."""

    code = "head_too_slow"
    status = 408
    retry = True


@dataclass(frozen=True)
class ConnectionLimits:
    """Bytes, numbers and seconds; `unread_seconds` is how long a client may let what we send lie, and `linger_seconds` how
    long one that sends a body nobody wants is let to read why: a connection that is closed at once loses the answer.
    """

    address_bytes: int = 24 << 10
    head_bytes: int = 32 << 10
    headers: int = 100
    head_seconds: float = 15.0
    unread_seconds: float = 60.0
    linger_seconds: float = 2.0


class BoundedHttp(HttpToolsProtocol):
    limits: ClassVar[ConnectionLimits] = ConnectionLimits()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._in_head, self._fed = True, 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._refusal: PudimError | None = None
        self._lingering: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        self._end_unread()
        if self._lingering is not None:
            self._lingering.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingering is not None:
            return
        self._fed = self._fed + len(data) if self._in_head else 0
        super().data_received(data)
        if self._in_head and self._fed > self.limits.head_bytes and not self.transport.is_closing():
            self._refuse(HeadTooLarge())

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.limits.address_bytes:
            self._raise(AddressTooLong())

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if len(self.headers) > self.limits.headers:
            self._raise(HeadTooLarge())
        if (name := name.lower()) in _ONCE and [one for one, _ in self.headers].count(name) > 1:
            self._raise(MalformedRequest())

    def on_headers_complete(self) -> None:
        if sum(len(name) + len(value) for name, value in self.headers) > self.limits.head_bytes:
            self._raise(HeadTooLarge())
        self._end_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.more_body and not self.pipeline and not self.transport.is_closing():
            self._linger()  # what is still to come of the body is nobody's

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_timer = self.loop.call_later(self.limits.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self._end_unread()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words
        """For whatever the parser refuses."""
        self._refuse(self._refusal or MalformedRequest())

    def _begin_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.head_seconds, self._refuse, HeadTooSlow())
        self._in_head = True

    def _end_head(self) -> None:
        self._in_head, self._fed = False, 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _linger(self) -> None:
        self._lingering = self.loop.call_later(self.limits.linger_seconds, self.transport.close)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()

    def _end_unread(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _raise(self, refusal: PudimError) -> None:
        self._refusal = refusal
        raise refusal

    def _refuse(self, refusal: PudimError) -> None:
        """Say no and hang up; only hang up where another answer is on its way."""
        self._end_head()
        answering: RequestResponseCycle | None = self.cycle
        if answering is None or answering.response_complete:
            self.transport.write(_answer(refusal))
        self.transport.close()


def _answer(refusal: PudimError) -> bytes:
    problem = problem_of(refusal)
    body = msgspec.json.encode(problem)
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n"
        + "".join(f"{name.lower()}: {value}\r\n" for name, value in ALWAYS.items())
        + "\r\n"
    )
    return head.encode("ascii") + body
