"""Entity tags: whoever has read an answer need not read it again, and changes only what he has seen.

A tag is `"<version>.<digest>"`. The digest is of the answer's bytes, so that equal tags mean equal bytes; the version is of
what clients can change. `If-None-Match` compares all of it, `If-Match` the version alone: figures that move by
themselves must not stand in the way of a change.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
from litestar import Request
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.database import database

_STATE = "entity"
_OPT = "must_match"
_DIGEST_BYTES = 12
_LONGEST_HEADER = 4_096
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]{0,128})"')
_JSON = "application/json"


class PreconditionFailedError(PudimError):
    """It was changed since you read it."""

    code = "precondition_failed"
    status = 412
    hint = "Read it again, and repeat with the new entity tag if you still want to."


class PreconditionRequiredError(PudimError):
    """This is changed only by who shows which state of it he has seen."""

    code = "precondition_required"
    status = 428
    hint = "Send the ETag of what you have read as If-Match."


class BadEntityTagError(PudimError):
    """An If-Match or If-None-Match is `*`, or a list of quoted entity tags of at most 4096 characters."""

    code = "bad_entity_tag"
    status = 400


def must_match() -> dict[str, Any]:
    """For a handler's `opt`: without If-Match it changes nothing (428)."""
    return {_OPT: True}


def requires_match(handler: BaseRouteHandler) -> bool:
    return bool(handler.opt.get(_OPT))


def version_of(*values: object) -> str:
    """A version that is another one whenever any of these values is."""
    return blake2b(msgspec.json.encode(values), digest_size=_DIGEST_BYTES).hexdigest()


@dataclass
class Entity:
    """The one resource that a request is about. Who answers with it says its version, who changes it asks `unchanged`."""

    if_match: str | None
    required: bool
    version: str | None = field(default=None, init=False)

    @asynccontextmanager
    async def unchanged(self, version: Callable[[], Awaitable[str]]) -> AsyncIterator[None]:
        """Change it within: `version` is read in the same transaction, and keeps others from changing it meanwhile.

        Raises PreconditionFailedError, PreconditionRequiredError or BadEntityTagError.
        """
        if self.if_match is None:
            if self.required:
                raise PreconditionRequiredError
            yield
            return
        async with database.transaction():
            self._check(await version())
            yield

    def _check(self, version: str) -> None:
        tags = _tags(self.if_match or "")
        if tags is not None and not any(tag.partition(".")[0] == version for tag, weak in tags if not weak):
            raise PreconditionFailedError


def entity(request: Request[Any, Any, Any]) -> Entity:
    """A dependency: what the request says about the state of the resource that it is about."""
    made = Entity(request.headers.get("if-match"), requires_match(request.route_handler))
    request.scope["state"][_STATE] = made
    return made


@dataclass
class EntityTags(ASGIMiddleware):
    """Tags every JSON answer of the API that comes in one piece, and answers 304 to who has it."""

    api: str

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if not scope["path"].startswith(f"{self.api}/"):
            await next_app(scope, receive, send)
            return
        wanted = Headers.from_scope(scope).get("if-none-match")
        seen = _tags(wanted) if wanted is not None and scope.get("method") == "GET" else []
        await next_app(scope, receive, _Tagging(scope, send, seen))


@dataclass
class _Tagging:
    """Holds the head of an answer back until its body is there."""

    scope: Scope
    send: Send
    seen: list[tuple[str, bool]] | None
    head: Any = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._is_tagged(message):
                self.head = message
                return
        elif message["type"] == "http.response.body" and self.head is not None:
            head, self.head = self.head, None
            if not message.get("more_body"):
                message = self._tagged(head, message)
            await self.send(head)
        await self.send(message)

    def _is_tagged(self, message: Any) -> bool:
        headers = MutableScopeHeaders.from_message(message)
        if message["status"] != 200 or not headers.get("content-type", "").startswith(_JSON):  # noqa: PLR2004
            return False
        return self.scope.get("method") == "GET" or _version(self.scope) is not None

    def _tagged(self, head: Any, body: Any) -> Any:
        digest = blake2b(body["body"], digest_size=_DIGEST_BYTES).hexdigest()
        tag = f"{_version(self.scope) or ''}.{digest}"
        headers = MutableScopeHeaders.from_message(head)
        headers["ETag"] = f'"{tag}"'
        if self.seen is None or any(one == tag for one, _ in self.seen):
            head["status"] = 304
            for name in ("content-length", "content-type"):
                if name in headers:
                    del headers[name]
            return body | {"body": b""}
        return body


def _version(scope: Scope) -> str | None:
    found = scope["state"].get(_STATE)
    return found.version if isinstance(found, Entity) else None


def _tags(header: str) -> list[tuple[str, bool]] | None:
    """Each tag with whether it is a weak one; None for `*`. Raises BadEntityTagError."""
    if header.strip() == "*":
        return None
    if len(header) > _LONGEST_HEADER:
        raise BadEntityTagError
    found = []
    for part in header.split(","):
        match = _TAG.fullmatch(part.strip())
        if match is None:
            raise BadEntityTagError
        found.append((match[2], match[1] is not None))
    return found
