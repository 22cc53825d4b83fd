"""Work that nobody waits for any more is given up: a closed tab must not keep the database busy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, NoReturn, TypeVar

from litestar import Request

from pudim.vocabulary.errors import PudimError

T = TypeVar("T")


class ClientGone(PudimError):
    """The client has hung up; nobody hears this."""

    code = "client_gone"
    status = 408


async def while_connected(request: Request[Any, Any, Any], work: Awaitable[T]) -> T:
    """What `work` returns. Cancels it, and with it its statement on the server, and raises ClientGone on a disconnect.

    For requests whose body nobody reads.
    """
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_until_gone(request))
            try:
                return await work
            finally:
                watching.cancel()
    except BaseExceptionGroup as group_of_one:
        raise group_of_one.exceptions[0] from None


async def _until_gone(request: Request[Any, Any, Any]) -> NoReturn:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    raise ClientGone
