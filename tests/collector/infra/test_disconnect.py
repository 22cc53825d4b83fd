"""Work ends with whoever waits for it, and is otherwise left alone."""

import asyncio
from typing import Any, cast

import pytest
from litestar import Request

from pudim_collector.infra.disconnect import ClientGone, while_connected


class Line:
    """A client's connection, as ASGI shows it."""

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()
        self.listeners = 0
        self.begun = False

    async def receive(self) -> dict[str, Any]:
        if not self.begun:
            self.begun = True
            return {"type": "http.request", "body": b"", "more_body": False}
        self.listeners += 1
        try:
            await self.hung_up.wait()
        finally:
            self.listeners -= 1
        return {"type": "http.disconnect"}

    @property
    def request(self) -> Request[Any, Any, Any]:
        return Request({"type": "http"}, cast(Any, self.receive))


async def test_what_work_returns_is_returned_and_nobody_listens_any_more() -> None:
    line = Line()

    async def work() -> int:
        await asyncio.sleep(0.01)
        return 7

    assert await while_connected(line.request, work()) == 7
    assert line.listeners == 0


async def test_what_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await while_connected(Line().request, work())


async def test_work_is_cancelled_when_the_client_hangs_up() -> None:
    line, cancelled = Line(), asyncio.Event()

    async def work() -> None:
        line.hung_up.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with asyncio.timeout(10):
        with pytest.raises(ClientGone):
            await while_connected(line.request, work())
    assert cancelled.is_set()


async def test_who_is_cancelled_himself_cancels_the_work() -> None:
    line, begun, cancelled = Line(), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    task = asyncio.ensure_future(while_connected(line.request, work()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()
    assert line.listeners == 0
