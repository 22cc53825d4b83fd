"""The root of every error that Pudim raises on purpose, so that one handler can say it well."""

from __future__ import annotations

from typing import ClassVar


class PudimError(Exception):
    """A named failure: `code` for programs, the message for people, `hint` for what to do next.

    `status` is the HTTP status at the API's edge; `retry` says whether the same call may succeed later.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retry: ClassVar[bool] = False
    hint: ClassVar[str] = ""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (type(self).__doc__ or self.code).strip().splitlines()[0])

    @property
    def detail(self) -> str:
        return str(self)
