"""Whom to tell of a weakness in this installation: RFC 9116's file, where the operator named somebody."""

from __future__ import annotations

from datetime import timedelta

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException

from pudim_collector.infra.auth import public
from pudim_collector.kernel.clock import Clock

PATH = "/.well-known/security.txt"
GOOD_FOR = timedelta(days=90)
"""A reader may hold on to it for so long; the file is written anew at each request."""


class WhomToTell:
    def __init__(self, contacts: tuple[str, ...], url: str, clock: Clock) -> None:
        self._contacts, self._url, self._clock = contacts, url, clock

    def text(self) -> str | None:
        """The file; None where nobody is named."""
        if not self._contacts:
            return None
        lines = [f"Contact: {one}" for one in self._contacts]
        lines += [f"Expires: {self._clock.now() + GOOD_FOR:%Y-%m-%dT%H:%M:%SZ}"]
        if self._url.startswith("https://"):
            lines += [f"Canonical: {self._url}{PATH}"]
        return "\n".join(lines) + "\n"


@get(PATH, opt=public("who found a weakness has no account"), include_in_schema=False, sync_to_thread=False)
def security_txt(whom_to_tell: NamedDependency[WhomToTell]) -> Response[str]:
    text = whom_to_tell.text()
    if text is None:
        raise NotFoundException
    return Response(text, media_type=MediaType.TEXT)
