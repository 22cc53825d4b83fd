"""Lists as the API and the gate keep them: for the team, for a token, from another process, and without a way to lock oneself out."""

import httpx
import pytest

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.features.addresses.service import AddressLists, Wish
from tests.collector.app.site import Site

HOME, AWAY = "203.0.113.7", "198.51.100.9"


def asking(runtime: Runtime, token: str, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(web_application(runtime), client=(address, 1))  # type: ignore[arg-type]
    return httpx.AsyncClient(
        transport=transport, base_url="http://pudim.test", headers={"authorization": f"Bearer {token}"}
    )


async def put(
    program: httpx.AsyncClient, path: str, status: int = 200, /, **wanted: object
) -> dict[str, object]:
    told = await program.put(path, json=wanted)
    assert told.status_code == status, told.text
    found: dict[str, object] = told.json()
    return found


@pytest.fixture
async def token(runtime: Runtime) -> str:
    await runtime.store.prepare(runtime.clock.now())
    return await runtime.tokens.local_access_token()


async def test_a_team_is_used_from_where_its_list_says(runtime: Runtime, token: str) -> None:
    async with asking(runtime, token, HOME) as home, asking(runtime, token, AWAY) as away:
        assert (await home.get("/api/v2/addresses")).json() == {"networks": [], "yours": HOME}
        assert (await away.get("/api/v2/me")).status_code == 200
        await put(home, "/api/v2/addresses", networks=["203.0.113.0/24"])
        assert (await home.get("/api/v2/me")).status_code == 200
        refused = await away.get("/api/v2/me")
        assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
        assert AWAY in refused.json()["detail"]
        assert "/account/addresses" in refused.json()["hint"]
        await put(home, "/api/v2/addresses", networks=[])
        assert (await away.get("/api/v2/me")).status_code == 200


async def test_nobody_locks_himself_out_unless_he_says_so(runtime: Runtime, token: str) -> None:
    async with asking(runtime, token, HOME) as home, asking(runtime, token, AWAY) as away:
        told = await put(home, "/api/v2/addresses", 409, networks=["198.51.100.0/24"])
        assert told["code"] == "locks_out"
        assert (await home.get("/api/v2/addresses")).json()["networks"] == []
        await put(home, "/api/v2/addresses", networks=["198.51.100.0/24"], confirm=True)
        assert (await home.get("/api/v2/addresses")).status_code == 403
        assert (await away.get("/api/v2/addresses")).json()["networks"] == ["198.51.100.0/24"]


async def test_a_tokens_list_holds_besides_the_teams(runtime: Runtime, token: str) -> None:
    async with asking(runtime, token, HOME) as home:
        made = (await home.post("/api/v2/tokens", json={"name": "ci"})).json()
        own = f"/api/v2/tokens/{made['token']['id'] if isinstance(made['token'], dict) else made['record']['id']}"
        await put(home, f"{own}/addresses", networks=[AWAY])
        assert (await home.get(f"{own}/addresses")).json()["networks"] == [f"{AWAY}/32"]
    secret = next(value for value in made.values() if isinstance(value, str) and value.startswith("pud_svc_"))
    async with asking(runtime, secret, HOME) as home, asking(runtime, secret, AWAY) as away:
        refused = await home.get("/api/v2/me")
        assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
        assert "token" in refused.json()["detail"]
        assert (await away.get("/api/v2/me")).status_code == 200
        assert (await away.put(f"{own}/addresses", json={"networks": [HOME]})).status_code == 409
    async with asking(runtime, token, HOME) as home:
        await put(home, "/api/v2/addresses", networks=[HOME])
    async with asking(runtime, secret, AWAY) as away:
        assert (await away.get("/api/v2/me")).status_code == 403, "the team's list does not count"


async def test_what_is_no_list_is_refused_and_changes_nothing(runtime: Runtime, token: str) -> None:
    async with asking(runtime, token, HOME) as home:
        for networks in (["x"], ["203.0.113.7/24"], ["1.2.3.4", "\x00"], ["'; DROP TABLE teams --"]):
            assert (await put(home, "/api/v2/addresses", 422, networks=networks))["code"] == "bad_networks"
        assert (await home.get("/api/v2/addresses")).json()["networks"] == []
        stranger = "/api/v2/tokens/00000000-0000-0000-0000-000000000007/addresses"
        assert (await home.get(stranger)).status_code == 404
        assert (await home.put(stranger, json={"networks": []})).status_code == 404


async def test_an_unknown_address_is_on_no_list(runtime: Runtime, token: str) -> None:
    async with asking(runtime, token, HOME) as home:
        await put(home, "/api/v2/addresses", networks=["0.0.0.0/0", "::/0"])
    async with asking(runtime, token, "") as nowhere:
        assert (await nowhere.get("/api/v2/me")).status_code == 403


async def test_another_process_change_counts_at_once(site: Site) -> None:
    other = AddressLists(site.runtime.announcements, site.clock)
    async with site.client() as program:
        me = await program.get("/api/v2/me")
        assert me.status_code == 200
        principal = await site.runtime.tokens.by_token(site.token)
        assert principal is not None
        await other.set_for_team(principal, Wish([AWAY], None, confirmed=True))
        while (await program.get("/api/v2/me")).status_code == 200:
            pass
        assert (await program.get("/api/v2/me")).json()["code"] == "address_not_allowed"


async def test_a_stream_ends_when_its_address_is_allowed_no_more(site: Site) -> None:
    async with site.events("/live/servers", accept="text/event-stream") as events:
        await events.next()
        principal = await site.runtime.tokens.by_token(site.token)
        assert principal is not None
        await site.runtime.address_lists.set_for_team(principal, Wish([AWAY], None, confirmed=True))
        site.clock.advance(60)
        with pytest.raises(AssertionError, match="the stream ended"):
            await events.take(1000)
