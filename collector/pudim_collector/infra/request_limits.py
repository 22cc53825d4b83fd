"""Bounds on each request: how many of one address at once, how long its body and its answer may take, how large it may be."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.enums import RequestEncodingType, ScopeType
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.params import BodyKwarg
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import Public, access_of
from pudim_collector.infra.headers import ALWAYS
from pudim_collector.infra.problems import MEDIA_TYPE, problem_of
from pudim_collector.infra.rate_limits.metering import address_of
from pudim_collector.infra.rate_limits.rules import household

PUBLIC_BODY = 64 << 10
"""Bytes that are read of somebody of whom nothing is known."""
FORM_BODY = 256 << 10
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class TooManyAtOnce(PudimError):
    """This address waits for too many answers at the same time."""

    code = "too_many_at_once"
    status = 429
    retry = True
    hint = "Ask one after the other."
    headers = {"Retry-After": "1"}  # noqa: RUF012 - a class's words, as code and status are


class BodyTooSlow(PudimError):
    """The request's body did not arrive in time."""

    code = "body_too_slow"
    status = 408
    retry = True


class BodyTooLarge(PudimError):
    """The request's body is too large."""

    code = "body_too_large"
    status = 413
    hint = "Send less at once."


class NotJson(PudimError):
    """This takes JSON."""

    code = "not_json"
    status = 415
    hint = "Send `Content-Type: application/json`."


class AnswerTooSlow(PudimError):
    """Nothing answered in time."""

    code = "answer_too_slow"
    status = 503
    retry = True
    headers = {"Retry-After": "10"}  # noqa: RUF012 - a class's words, as code and status are


@dataclass(frozen=True)
class RequestLimits:
    """Numbers and seconds. A stream's answer has begun with its first line, and may last as long as it likes."""

    at_once: int = 128
    body_seconds: float = 60.0
    answer_seconds: float = 120.0


class Bounded:
    """Wraps the whole application, behind what puts the client's address right."""

    def __init__(self, app: ASGIApp, limits: RequestLimits | None = None) -> None:
        self._app, self._limits = app, limits or RequestLimits()
        self._at_once: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        address = household(address_of(scope))
        if self._at_once[address] >= self._limits.at_once:
            await _say(TooManyAtOnce(), send)
            return
        self._at_once[address] += 1
        try:
            await self._answered(scope, receive, send)
        finally:
            self._at_once[address] -= 1
            if not self._at_once[address]:
                del self._at_once[address]

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False
        try:
            async with asyncio.timeout(self._limits.answer_seconds) as patience:

                async def send_begun(message: Message) -> None:
                    nonlocal started
                    if not started:
                        started = True
                        patience.reschedule(None)
                    await send(message)

                await self._app(scope, self._in_time(receive), send_begun)
        except (TimeoutError, BodyTooSlow) as error:
            if started:
                raise
            await _say(error if isinstance(error, BodyTooSlow) else AnswerTooSlow(), send)

    def _in_time(self, receive: Receive) -> Receive:
        deadline: float | None = None
        whole = False

        async def receive_in_time() -> Any:
            nonlocal deadline, whole
            if whole:
                return await receive()  # what is left to hear is that the client went away
            if deadline is None:
                deadline = asyncio.get_running_loop().time() + self._limits.body_seconds
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise BodyTooSlow from None
            whole = message["type"] != "http.request" or not message["more_body"]
            return message

        return receive_in_time


async def _say(refusal: PudimError, send: Send) -> None:
    """Where no application answers."""
    body = msgspec.json.encode(problem_of(refusal))
    told: dict[str, str] = getattr(refusal, "headers", {})
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **ALWAYS}
    pairs = [(name.lower().encode(), value.encode()) for name, value in (headers | told).items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@dataclass
class Shape(ASGIMiddleware):
    """Before the gate: the body is not larger than this route reads of this caller, and JSON says that it is JSON."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        kind = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        length = connection.headers.get("content-length", "")
        has_body = length not in {"", "0"} or "transfer-encoding" in connection.headers
        if has_body and takes_json(connection.route_handler) and not _is_json(kind):
            raise NotJson
        most = most_bytes(connection.route_handler, kind)
        if most is not None:
            if length.isdecimal() and int(length[:20]) > most:
                raise BodyTooLarge
            receive = _counted(receive, most)
        await next_app(scope, receive, send)


def most_bytes(handler: BaseRouteHandler, kind: str) -> int | None:
    """None where the route's own bound is all there is."""
    if isinstance(access_of(handler), Public):
        return PUBLIC_BODY
    return FORM_BODY if kind in _FORMS else None


def takes_json(handler: BaseRouteHandler) -> bool:
    if not isinstance(handler, HTTPRouteHandler):
        return False
    data = handler.parsed_fn_signature.parameters.get("data")
    said = data.kwarg_definition if data is not None else None
    return isinstance(said, BodyKwarg) and said.media_type == RequestEncodingType.JSON


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _counted(receive: Receive, most: int) -> Receive:
    read = 0

    async def receive_counted() -> Any:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message["body"])
            if read > most:
                raise BodyTooLarge
        return message

    return receive_counted
