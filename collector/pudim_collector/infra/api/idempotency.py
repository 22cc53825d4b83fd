"""Idempotency-Key: a POST that is repeated under its key does nothing twice, and gets the answer of the first time.

The work and its answer are one transaction. So a crash leaves both or neither, and a repetition after it finds the answer
or does the work. While one is under way an advisory lock holds the key; it ends with its connection, so that none is left
behind. What the work sends by NOTIFY goes out with the commit. What it does outside the database is not undone.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import Principal
from pudim_collector.infra.database import database
from pudim_collector.infra.sealing import SealedColumn, Sealer
from pudim_collector.kernel.clock import Clock

HEADER = "idempotency-key"
REPLAYED = "Idempotent-Replayed"
LONGEST_KEY = 255
KEPT_FOR = timedelta(hours=24)
MOST_KEYS = 10_000
LARGEST_ANSWER = 1 << 19
SEALED_ANSWERS = SealedColumn("api_answers", "answer", "call", "answers")
_KEY = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}")
_KEPT_HEADERS = ("content-type", "location", "etag")
_LOCK: LiteralString = "SELECT pg_try_advisory_xact_lock($1)"
_FIND: LiteralString = "SELECT body_hash, answer FROM api_answers WHERE call = $1 AND made_at > $2"
_COUNT: LiteralString = "SELECT count(*) FROM api_answers WHERE asker = $1 AND made_at > $2"
_KEEP: LiteralString = (
    "INSERT INTO api_answers (call, asker, body_hash, made_at, answer) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (call) DO UPDATE SET body_hash = $3, made_at = $4, answer = $5"
)
_FORGET: LiteralString = "DELETE FROM api_answers WHERE made_at <= $1"


class BadIdempotencyKeyError(PudimError):
    """An Idempotency-Key has 1 to 255 visible ASCII characters."""

    code = "bad_idempotency_key"
    status = 400


class KeyInUseError(PudimError):
    """A request with this Idempotency-Key is under way."""

    code = "idempotency_key_in_use"
    status = 409
    retry = True
    hint = "Repeat it in a moment: it will get the same answer."
    headers = {"Retry-After": "1"}  # noqa: RUF012 - as exceptions of the web framework have it


class KeyReusedError(PudimError):
    """This Idempotency-Key was used for a request with another body."""

    code = "idempotency_key_reused"
    status = 422
    hint = "Take a new key for each thing that is to be done once."


class TooManyKeysError(PudimError):
    """So many Idempotency-Keys were used within 24 hours that no more are kept."""

    code = "too_many_idempotency_keys"
    status = 429
    hint = "Wait, or send the request without a key."


class AnswerTooLargeError(PudimError):
    """The answer is too large to be kept for a repetition; nothing was done."""

    code = "answer_too_large"


class Answer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_kept(self) -> bool:
        """What failed for a while is tried again instead."""
        return self.status < 500 and self.status != 429  # noqa: PLR2004


@dataclass(frozen=True)
class Call:
    """One request under a key: `id` stands for asker, route and key, `body_hash` for what was sent."""

    id: bytes
    asker: UUID
    body_hash: bytes

    @classmethod
    def of(cls, principal: Principal, path: str, key: str, query: bytes, body: bytes) -> Call:
        about = "\0".join((principal.kind, str(principal.id), str(principal.team_id), path, key))
        return cls(
            sha256(about.encode()).digest(),
            principal.id,
            sha256(sha256(query).digest() + sha256(body).digest()).digest(),
        )

    @property
    def lock(self) -> int:
        return int.from_bytes(self.id[:8], "big", signed=True)


@dataclass(frozen=True)
class Answers:
    """The answers that were given under keys, sealed."""

    sealer: Sealer
    clock: Clock

    async def once(self, call: Call, work: Callable[[], Awaitable[Answer]]) -> tuple[Answer, bool]:
        """The answer of `work`, which is done unless it was, and whether it is an old one.

        Raises KeyInUseError, KeyReusedError, TooManyKeysError or AnswerTooLargeError.
        """
        now = self.clock.now()
        async with database.transaction() as whole:
            if not (await _fetch(_LOCK, call.lock))[0][0]:
                raise KeyInUseError
            known = await self._known(call, now)
            if known is not None:
                return known, True
            async with database.transaction() as attempt:
                answer = await work()
                if answer.status >= 400:  # noqa: PLR2004
                    await attempt.rollback()
            if answer.is_kept:
                await self._keep(call, answer, now)
            else:
                await whole.rollback()
            return answer, False

    async def forget(self) -> None:
        """What is older than a day."""
        await _fetch(_FORGET, self.clock.now() - KEPT_FOR)

    async def _known(self, call: Call, now: datetime) -> Answer | None:
        rows = await _fetch(_FIND, call.id, now - KEPT_FOR)
        if not rows:
            if (await _fetch(_COUNT, call.asker, now - KEPT_FOR))[0][0] >= MOST_KEYS:
                raise TooManyKeysError
            return None
        body_hash, sealed = rows[0]
        if bytes(body_hash) != call.body_hash:
            raise KeyReusedError
        return msgspec.msgpack.decode(self.sealer.open(bytes(sealed), call.id), type=Answer)

    async def _keep(self, call: Call, answer: Answer, now: datetime) -> None:
        if len(answer.body) > LARGEST_ANSWER:
            raise AnswerTooLargeError
        sealed = self.sealer.seal(msgspec.msgpack.encode(answer), call.id)
        await _fetch(_KEEP, call.id, call.asker, call.body_hash, now, sealed)


@dataclass
class Idempotency(ASGIMiddleware):
    """For every POST of the API that comes with a key."""

    answers: Answers
    api: str

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        key, principal = Headers.from_scope(scope).get(HEADER), scope["user"]
        applies = _method(scope) == "POST" and scope["path"].startswith(f"{self.api}/")
        if key is None or not applies or not isinstance(principal, Principal):
            await next_app(scope, receive, send)
            return
        if not _KEY.fullmatch(key):
            raise BadIdempotencyKeyError
        request: Request[Any, Any, Any] = scope["app"].request_class(scope, receive, send)
        body = await request.body()
        call = Call.of(principal, scope["path"], key, scope["query_string"], body)

        async def work() -> Answer:
            heard = _Heard()
            await next_app(scope, receive, heard)
            return heard.answer()

        answer, replayed = await self.answers.once(call, work)
        await _say(answer, send, replayed=replayed)


@dataclass
class _Heard:
    """An answer that is not sent yet: it must not be before the work is on disk."""

    head: Any = None
    body: bytearray = field(default_factory=bytearray)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.head = message
        elif message["type"] == "http.response.body":
            self.body += message["body"]

    def answer(self) -> Answer:
        headers = MutableScopeHeaders.from_message(self.head)
        kept = {name: headers[name] for name in headers if name.lower() in _KEPT_HEADERS}
        return Answer(self.head["status"], kept, bytes(self.body))


def _method(scope: Scope) -> str:
    return str(scope.get("method"))


async def _say(answer: Answer, send: Send, *, replayed: bool) -> None:
    headers = answer.headers | {"content-length": str(len(answer.body))}
    if replayed:
        headers[REPLAYED] = "true"
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _fetch(query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        cursor = await connection.execute(query, parameters)
        return await cursor.fetchall() if cursor.description else []
