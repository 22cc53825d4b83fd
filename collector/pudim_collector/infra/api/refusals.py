"""With which statuses each operation may refuse: worked out from what its route declares, so that no other one is a surprise.

What follows from the route's shape (its permission, its path, its body, a list in pages, an entity) is known here; what its
use cases refuse beside that it says by `refuses`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from litestar.handlers import HTTPRouteHandler

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.api.entity_tags import requires_match
from pudim_collector.infra.auth import ForSenders, Requires, access_of

_OPT = "refuses"
_EVERYWHERE = (400, 403, 414, 429, 431, 503)
"""A host that is not served, another site's page, too long an address or head, too much at once, a store that does not answer."""
_BODY = (400, 408, 413, 415)
_KEY = (400, 408, 409, 413, 422)
"""An Idempotency-Key that is none, is in use, or was used for something else, for which the body is read."""
_PAGES = (400, 422)
_ENTITY = (400, 412)
PHRASES = {
    f"{HTTPStatus(status).phrase}." for status in (*_EVERYWHERE, 401, 404, *_BODY, *_KEY, *_PAGES, *_ENTITY)
}
"""What refusals mean that many operations have, and that name no code of their own."""


def refuses(*errors: type[PudimError]) -> dict[str, Any]:
    """For a handler's `opt`: the refusals of its use cases. A class stands for those below it, too."""
    return {_OPT: errors}


def refusals_of(handler: HTTPRouteHandler, method: str, path: str, *, in_api: bool) -> Mapping[str, str]:
    """Each status with what it means: one of PHRASES, or the codes that only some operations have."""
    found: dict[int, set[str]] = {status: set() for status in _by_shape(handler, method, path, in_api=in_api)}
    for error in _declared(handler):
        found.setdefault(error.status, set()).add(error.code)
    return {str(status): _words(status, codes) for status, codes in sorted(found.items())}


def _by_shape(handler: HTTPRouteHandler, method: str, path: str, *, in_api: bool) -> Iterator[int]:
    wanted = handler.parsed_fn_signature.parameters
    yield from _EVERYWHERE
    if isinstance(access_of(handler), Requires | ForSenders):
        yield 401
    if "{" in path:
        yield 404
    if "data" in wanted:
        yield from _BODY
    if in_api and method == "POST":
        yield from _KEY
    if "paging" in wanted:
        yield from _PAGES
    if "entity" in wanted and method not in {"GET", "POST"}:
        yield from _ENTITY
        if requires_match(handler):
            yield 428


def _declared(handler: HTTPRouteHandler) -> Iterator[type[PudimError]]:
    for error in handler.opt.get(_OPT, ()):
        yield from _family(error)


def _family(error: type[PudimError]) -> Iterator[type[PudimError]]:
    below = error.__subclasses__()
    if "code" in vars(error):
        yield error
    for one in below:
        yield from _family(one)


def _words(status: int, codes: set[str]) -> str:
    phrase = HTTPStatus(status).phrase
    return f"{phrase}: {', '.join(f'`{code}`' for code in sorted(codes))}." if codes else f"{phrase}."
