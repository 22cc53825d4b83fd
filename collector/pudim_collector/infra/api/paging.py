"""Lists in pages: a cursor is the place after which a page begins, signed, and good for the same question only.

A page begins after a row's place in the order, never after a number of rows: what is made or removed meanwhile moves nothing.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

import msgspec
from litestar import Request
from litestar.params import QueryParameter
from litestar.types import Scope

from pudim.vocabulary.errors import PudimError
from pudim_collector.infra.auth import Principal

DEFAULT_LIMIT = 50
MOST_LIMIT = 100
LONGEST_CURSOR = 2_048
_MAC_BYTES = 16
_STATE = "paging"
_NOT_THE_QUESTION = frozenset({"limit", "cursor"})

Row = TypeVar("Row")
Place = TypeVar("Place", bound=tuple[Any, ...])
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LIMIT, description="At most this many items.")]
Cursor = Annotated[
    str | None,
    QueryParameter(
        max_length=LONGEST_CURSOR,
        description="`next_cursor` of the page before, with the same other parameters.",
    ),
]


class BadCursorError(PudimError):
    """The cursor is damaged, or belongs to another list, to other parameters or to somebody else."""

    code = "bad_cursor"
    status = 422
    hint = "Begin again without a cursor."


@dataclass
class Paging:
    """The page that a request asks for, and the cursor of the next one once its rows are known."""

    limit: int
    cursor: str | None
    key: bytes
    question: bytes
    next_cursor: str | None = field(default=None, init=False)

    def after(self, form: type[Place]) -> Place | None:
        """The place after which the page begins, None for the first page. Raises BadCursorError."""
        if self.cursor is None:
            return None
        try:
            found = urlsafe_b64decode(self.cursor + "=" * (-len(self.cursor) % 4))
        except (binascii.Error, ValueError) as error:
            raise BadCursorError from error
        mac, place = found[:_MAC_BYTES], found[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(place)):
            raise BadCursorError
        try:
            found_place: Place = msgspec.json.decode(place, type=form)
        except msgspec.MsgspecError as error:  # signed by a version whose order was another
            raise BadCursorError from error
        return found_place

    def page(self, rows: Sequence[Row], place: Callable[[Row], tuple[Any, ...]]) -> list[Row]:
        """The first `limit` of `rows`, which are all after the cursor, in order, and one more if there are more."""
        if len(rows) <= self.limit:
            return list(rows)
        taken = list(rows[: self.limit])
        self.next_cursor = self._cursor(place(taken[-1]))
        return taken

    def cut(self, rows: Iterable[Row], form: type[Place], place: Callable[[Row], Place]) -> list[Row]:
        """The page of a list that is short enough to be read whole, in the order of `place`."""
        begin = self.after(form)
        ordered = sorted(rows, key=place)
        return self.page([row for row in ordered if begin is None or place(row) > begin], place)

    def _cursor(self, place: tuple[Any, ...]) -> str:
        packed = msgspec.json.encode(place)
        return urlsafe_b64encode(self._mac(packed) + packed).rstrip(b"=").decode()

    def _mac(self, place: bytes) -> bytes:
        return hmac.digest(self.key, b"cursor\0" + self.question + place, "sha256")[:_MAC_BYTES]


def paging(request: Request[Any, Any, Any], limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Paging:
    """A dependency: which page of a list is asked for."""
    key: bytes = request.app.state["cursor_key"]
    made = Paging(limit, cursor, key, _question(request))
    request.scope["state"][_STATE] = made
    return made


def next_link(scope: Scope) -> str | None:
    """The address of the next page, relative to this one's host, if there is one."""
    found = scope["state"].get(_STATE)
    if not isinstance(found, Paging) or found.next_cursor is None:
        return None
    request: Request[Any, Any, Any] = Request(scope)
    kept = sorted(item for item in request.query_params.multi_items() if item[0] != "cursor")
    return f"{request.url.path}?{urlencode([*kept, ('cursor', found.next_cursor)])}"


def _question(request: Request[Any, Any, Any]) -> bytes:
    """What a cursor is good for: who asks, the list, and how it is narrowed."""
    principal = request.scope["user"]
    team = principal.team_id.bytes if isinstance(principal, Principal) else b""
    asked = sorted(item for item in request.query_params.multi_items() if item[0] not in _NOT_THE_QUESTION)
    return sha256(team + msgspec.json.encode([request.url.path, asked])).digest()
