"""Limits as a client meets them: a problem that names the limit, headers that tell what is left, classes that count apart."""

from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.datastructures import State

from pudim_collector.infra.auth import Principal, PrincipalKind, public, requires
from pudim_collector.infra.gate import Gate
from pudim_collector.infra.pages import Pages
from pudim_collector.infra.problems import answer
from pudim_collector.infra.rate_limits.metering import FloodGate, Meter, RateLimits, limited
from pudim_collector.infra.rate_limits.rules import FLOOD, LIMITS, Action
from pudim_collector.infra.rate_limits.stores import LocalStore
from pudim_collector.kernel.clock import ManualClock, SystemClock

TEAM = UUID(int=1)
TOKENS = {secret: uuid4() for secret in ("one", "two", "three", "four", "five")}


class Tokens:
    """Tokens of one team."""

    async def by_session(self, secret: str) -> Principal | None:
        return None

    async def by_token(self, secret: str) -> Principal | None:
        if secret not in TOKENS:
            return None
        return Principal(PrincipalKind.TOKEN, TOKENS[secret], TEAM, secret, None, "owner", {"thing:do"})


@get("/api/read", opt=requires("thing:do"))
async def read() -> str:
    return "read"


@get("/api/query", opt=requires("thing:do") | limited(Action.QUERY, cost=10))
async def query() -> str:
    return "asked"


@get("/api/export", opt=requires("thing:do") | limited(Action.EXPORT))
async def export() -> str:
    return "all"


@post("/sign-in", opt=public("to sign in") | limited(Action.SIGN_IN))
async def sign_in() -> str:
    return "no"


@get("/open", opt=public("for everybody"))
async def everybody() -> str:
    return "open"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(SystemClock().now())


def client(clock: ManualClock, scale: float = 1, address: str = "203.0.113.7") -> httpx.AsyncClient:
    limits = RateLimits(LocalStore(clock), clock, scale)
    app = Litestar(
        [read, query, export, sign_in, everybody],
        middleware=[FloodGate(limits), Gate(Tokens()), Meter(limits)],
        exception_handlers={Exception: answer},
        state=State({"pages": Pages(assets=lambda name: f"/static/{name}")}),
        openapi_config=None,
        logging_config=None,
    )
    transport = httpx.ASGITransport(app, client=(address, 1))  # type: ignore[arg-type]
    return httpx.AsyncClient(
        transport=transport, base_url="http://pudim.test", headers={"authorization": "Bearer one"}
    )


async def exhausted(program: httpx.AsyncClient, path: str, method: str = "GET") -> tuple[int, httpx.Response]:
    """How many requests passed, and the first one that did not."""
    for passed in range(FLOOD.quota):
        told = await program.request(method, path)
        if told.status_code not in {200, 201}:
            return passed, told
    raise AssertionError("everything passed")


async def test_headers_tell_what_is_left(clock: ManualClock) -> None:
    async with client(clock) as program:
        told = [await program.get("/api/query") for _ in range(3)]
    limit, team = LIMITS[Action.QUERY].caller, LIMITS[Action.QUERY].team
    assert team is not None
    assert told[0].headers["ratelimit-policy"] == (
        f'"query";q={limit.quota};w={limit.seconds}, "query-team";q={team.quota};w={team.seconds}'
    )
    left = [int(one.headers["ratelimit"].partition("r=")[2].partition(";")[0]) for one in told]
    assert left == [limit.quota - 10, limit.quota - 20, limit.quota - 30]


async def test_a_refusal_names_the_limit_and_says_when_to_come_again(clock: ManualClock) -> None:
    async with client(clock, 0.01) as program:
        passed, told = await exhausted(program, "/api/query")
        assert passed == LIMITS[Action.QUERY].caller.quota * 0.01 / 10
        assert (told.status_code, told.json()["code"]) == (429, "rate_limited")
        assert "'query' of 30 in 60 seconds" in told.json()["detail"]
        assert told.headers["ratelimit"].startswith('"query";r=0;t=')
        wait = int(told.headers["retry-after"])
        assert (await program.get("/api/read")).status_code == 200, "another class counts apart"
        clock.advance(wait)
        assert (await program.get("/api/query")).status_code == 200


async def test_tokens_count_apart_and_their_team_together(clock: ManualClock) -> None:
    async with client(clock, 0.1) as program:
        passed, told = await exhausted(program, "/api/export")
        assert (passed, "'export'" in told.json()["detail"]) == (3, True)
        program.headers["authorization"] = "Bearer two"
        passed, told = await exhausted(program, "/api/export")
        assert (passed, "'export'" in told.json()["detail"]) == (3, True)
    async with client(clock) as program:
        for secret in list(TOKENS)[:4]:
            program.headers["authorization"] = f"Bearer {secret}"
            assert (await exhausted(program, "/api/export"))[0] == 30
        program.headers["authorization"] = "Bearer five"
        passed, told = await exhausted(program, "/api/export")
        assert (passed, "'export-team' of 120" in told.json()["detail"]) == (0, True)


async def test_sign_in_is_limited_by_address_and_separately(clock: ManualClock) -> None:
    async with client(clock) as program:
        passed, told = await exhausted(program, "/sign-in", "POST")
        assert passed == LIMITS[Action.SIGN_IN].address.quota
        assert (told.status_code, told.json()["code"]) == (429, "rate_limited")
        assert (await program.get("/open")).status_code == 200


async def test_guessing_tokens_is_bounded_by_the_address(clock: ManualClock) -> None:
    async with client(clock, 0.01) as program:
        program.headers["authorization"] = "Bearer guess"
        told = [(await program.get("/api/read")).status_code for _ in range(FLOOD.quota // 100 + 5)]
    assert told == [401] * (FLOOD.quota // 100) + [429] * 5
