"""A live stream is not a way to go on seeing what one may not see any more."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from litestar import Request, get
from litestar.response import ServerSentEvent

from pudim_collector.infra.auth import requires
from pudim_collector.infra.streaming import ADMITTED_FOR, while_admitted
from tests.collector.accounts.conftest import House, csrf

FOR_EVER = 1_000
ENDED_AFTER = 3


def offer_stream(house: House, end: asyncio.Event) -> None:
    """At /stream: an event each time that a stream is asked again, `end` being set with the third."""

    async def events() -> AsyncIterator[str]:
        for number in range(FOR_EVER):
            if number == ENDED_AFTER:
                end.set()
                await asyncio.sleep(0.3)
            house.clock.advance(ADMITTED_FOR)
            yield str(number)

    @get("/stream", opt=requires("account:read"))
    async def stream(request: Request) -> ServerSentEvent:  # type: ignore[type-arg]
        return ServerSentEvent(while_admitted(request, events(), house.clock))

    house.app.register(stream)


async def seen(client: httpx.AsyncClient, end: asyncio.Event) -> int:
    answer = await client.get("/stream")
    assert end.is_set()
    return answer.text.count("data: ")


async def test_a_stream_goes_on_while_its_session_does(house: House) -> None:
    offer_stream(house, end := asyncio.Event())
    async with house.browser() as browser:
        await house.owner(browser)
        assert await seen(browser, end) == FOR_EVER


async def test_a_stream_ends_with_its_session(house: House) -> None:
    offer_stream(house, end := asyncio.Event())
    async with house.browser() as browser:
        await house.owner(browser)
        token = await csrf(browser)
        reading = asyncio.create_task(seen(browser, end))
        await end.wait()
        await browser.post("/sign-out", data={"csrf_token": token})
        assert await reading == ENDED_AFTER


async def test_a_stream_ends_with_its_token(house: House) -> None:
    offer_stream(house, end := asyncio.Event())
    secret = await house.tokens.local_access_token()
    principal = await house.tokens.by_token(secret)
    assert principal
    async with house.program(secret) as program:
        reading = asyncio.create_task(seen(program, end))
        await end.wait()
        await house.tokens.revoke(principal, principal.id)
        assert await reading == ENDED_AFTER
