"""Where others push metrics: `/v1/metrics` for OTLP, `/api/v1/write` for Prometheus' remote write.

These are raw routes: bodies are bytes within bounds, and each protocol has its own description and form of answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import psycopg
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException

from pudim.vocabulary.errors import PudimError
from pudim.wire.refusals import StoreUnavailable
from pudim_collector.infra.auth import Sender, for_senders
from pudim_collector.infra.database.errors import DatabaseError
from pudim_collector.infra.problems import answer as problem_answer
from pudim_collector.infra.problems import problem_of
from pudim_collector.ingest import counters
from pudim_collector.ingest.outside import otlp, remote_write
from pudim_collector.ingest.outside.bodies import gunzip, unsnap
from pudim_collector.ingest.outside.intake import Intake
from pudim_collector.ingest.outside.refusals import (
    BodyCutShort,
    BodyTooLarge,
    BodyTooSlow,
    Crowded,
    PartlyRefused,
    Refused,
    UnknownEncoding,
    UnknownType,
)
from pudim_collector.ingest.outside.samples import Push

MAX_BODY_BYTES = 20 << 20
"""As it is sent and, again, once it is plain; the size that OTLP recommends."""
MAX_HELD_BYTES = 64 << 20
"""Of all requests that are being received, so that many large ones are told to come again."""
BODY_SECONDS = 30.0
RETRY_SECONDS = "5"
_ASIDE_BYTES = 64 << 10
"""A larger body is decoded beside the event loop, and few at a time: each may grow to MAX_BODY_BYTES."""
_MOST_ASIDE = 2
_SAMPLE_BYTES = 128
"""What a decoded sample takes with its share of its series."""
_SERVER_ERROR = 500
_STORE_FAILED = (psycopg.Error, DatabaseError)

Asked: TypeAlias = Request[Sender, Any, State]


class Doors:
    """What the routes share: the intake, how much is being held, and the series that are known by their labels."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.known = remote_write.KnownSeries()
        self._held = 0
        self._aside = asyncio.Semaphore(_MOST_ASIDE)

    @contextmanager
    def noted(self, sender: Sender) -> Iterator[None]:
        """What refuses a whole request is written down with its sender."""
        try:
            yield
        except PudimError as refusal:
            self.intake.note_refused(sender, refusal)
            raise

    async def receive(self, request: Asked, decode: Callable[[bytes], Push]) -> Refused:
        """Raises what is wrong with the request; then nothing of it is stored."""
        if self._held >= MAX_HELD_BYTES:
            raise Crowded
        body, samples = bytearray(), 0
        try:
            await self._read(request, body)
            push = await self._decoded(bytes(body), decode)
            samples = push.points * _SAMPLE_BYTES
            self._held += samples
            refused = await self.intake.take(request.user, push)
        finally:
            self._held -= len(body) + samples
        counters.outside_points.inc(push.points - refused.total)
        return refused

    async def _decoded(self, body: bytes, decode: Callable[[bytes], Push]) -> Push:
        if len(body) <= _ASIDE_BYTES:
            return decode(body)
        async with self._aside:
            return await asyncio.to_thread(decode, body)

    async def _read(self, request: Asked, body: bytearray) -> None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    self._held += len(chunk)
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        raise BodyTooLarge(f"more than {MAX_BODY_BYTES} bytes")
        except TimeoutError as error:
            raise BodyTooSlow from error
        except InternalServerException as error:  # Litestar's word for a client that left
            raise BodyCutShort from error


def _otlp_answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A google.rpc.Status in the form of the question; who speaks neither form gets problem details."""
    told, words = _told(request, error)
    try:
        form = otlp.form_of(request.headers.get("content-type", ""))
    except UnknownType:
        return told
    status = told.status_code or _SERVER_ERROR
    return _with_headers(told, otlp.failed(form, status, words), form.value)


def _write_answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A line of text, which Prometheus puts into its log."""
    told, words = _told(request, error)
    return _with_headers(told, f"{words}\n", "text/plain")


def _with_headers(told: Response[Any], content: str | bytes, media_type: str) -> Response[Any]:
    said = Response(content, status_code=told.status_code, media_type=media_type)
    said.headers.update(told.headers)
    return said


def _told(request: Request[Any, Any, Any], error: Exception) -> tuple[Response[Any], str]:
    """The refusal as problem details, counted, and as a line of words. Senders try again after a 503, not after a 500."""
    if isinstance(error, _STORE_FAILED):
        error = StoreUnavailable()
    told, problem = problem_answer(request, error), problem_of(error)
    counters.outside_refused.labels(problem.code).inc()
    if isinstance(error, PudimError) and error.retry:
        told.headers.setdefault("Retry-After", RETRY_SECONDS)
    return told, f"{problem.code}: {problem.detail}"


@post(
    "/v1/metrics",
    opt=for_senders(),
    status_code=200,
    request_max_body_size=MAX_BODY_BYTES,
    exception_handlers={Exception: _otlp_answer},
    include_in_schema=False,
)
async def export_metrics(request: Asked, doors: NamedDependency[Doors]) -> Response[bytes]:
    """OTLP over HTTP: an ExportMetricsServiceRequest in protobuf or JSON, plain or gzip."""
    with doors.noted(request.user):
        form = otlp.form_of(request.headers.get("content-type", ""))
        plain = _decompressor(request)
        refused = await doors.receive(request, lambda body: otlp.decode_metrics(plain(body), form))
    return Response(otlp.accepted(form, refused.total, refused.sentence()), media_type=form.value)


@post(
    "/api/v1/write",
    opt=for_senders(),
    status_code=204,
    request_max_body_size=MAX_BODY_BYTES,
    exception_handlers={Exception: _write_answer},
    include_in_schema=False,
)
async def write(request: Asked, doors: NamedDependency[Doors]) -> None:
    """Prometheus' remote write 1.0: a WriteRequest in protobuf, in a snappy block. 400 says what was not taken."""
    with doors.noted(request.user):
        remote_write.check_type(request.headers.get("content-type", ""))
        if request.headers.get("content-encoding", "").lower() != "snappy":
            raise UnknownEncoding("send snappy")
        refused = await doors.receive(
            request, lambda body: remote_write.decode_write(unsnap(body, MAX_BODY_BYTES), doors.known)
        )
    if refused.total:
        raise PartlyRefused(f"{refused.sentence()}; the rest is stored")


def _decompressor(request: Asked) -> Callable[[bytes], bytes]:
    """Raises UnknownEncoding."""
    match request.headers.get("content-encoding", "identity").lower():
        case "identity" | "":
            return bytes
        case "gzip":
            return lambda body: gunzip(body, MAX_BODY_BYTES)
    raise UnknownEncoding("send it plain or as gzip")
