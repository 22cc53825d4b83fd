"""The conventions of the API as the edge needs them: middleware, dependencies, and headers of every answer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from litestar.datastructures import MutableScopeHeaders
from litestar.di import Provide
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import Message, Scope

from pudim_collector.infra.api.deprecation import DeprecatedUses, Deprecation, deprecation_of
from pudim_collector.infra.api.entity_tags import EntityTags, entity
from pudim_collector.infra.api.idempotency import Answers, Idempotency
from pudim_collector.infra.api.paging import next_link, paging
from pudim_collector.kernel.clock import Clock, SystemClock

API = "/api/v2"


@dataclass(frozen=True)
class Conventions:
    """`cursor_key` signs cursors: processes that share a database share it. Without `answers`, keys of requests count nothing."""

    cursor_key: bytes
    answers: Answers | None
    clock: Clock

    @classmethod
    def of_this_process(cls) -> Conventions:
        """Under a key that nobody else has and that ends with the process."""
        return cls(os.urandom(32), None, SystemClock())

    def middleware(self) -> Sequence[ASGIMiddleware]:
        """To be asked after the gate."""
        once = [Idempotency(self.answers, API)] if self.answers is not None else []
        return [DeprecatedUses(self.clock), *once, EntityTags(API)]

    def dependencies(self) -> dict[str, Provide]:
        return {
            "paging": Provide(paging, sync_to_thread=False),
            "entity": Provide(entity, sync_to_thread=False),
        }


def cursor_key(collector: Ed25519PrivateKey) -> bytes:
    """Derived from the collector's key, and good for nothing else."""
    return HKDF(SHA256(), 32, None, b"pudim cursors").derive(collector.private_bytes_raw())


async def add_convention_headers(message: Message, scope: Scope) -> None:
    """Litestar's before_send hook."""
    if message["type"] != "http.response.start":
        return
    headers = MutableScopeHeaders.from_message(message)
    links = list(_links(scope))
    if links:
        headers["Link"] = ", ".join(links)
    said = _deprecation(scope)
    for name, value in said.headers() if said is not None else ():
        headers[name] = value


def _links(scope: Scope) -> Iterator[str]:
    following = next_link(scope)
    if following is not None:
        yield f'<{following}>; rel="next"'
    said = _deprecation(scope)
    if said is not None and said.instead is not None:
        yield f'<{said.instead}>; rel="successor-version"'


def _deprecation(scope: Scope) -> Deprecation | None:
    found = [
        value for name, value in scope.items() if name == "route_handler"
    ]  # none where nothing was found
    return deprecation_of(found[0]) if found and isinstance(found[0], BaseRouteHandler) else None
