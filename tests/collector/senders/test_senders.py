"""Senders in the API and on their page: a token is shown once, what it does is told, and revoked it does nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest

from pudim_collector.infra.database import database
from pudim_collector.series.statements import fetch
from tests.collector.app.site import PAGE, Site
from tests.collector.ingest.agent import now_ms
from tests.collector.senders.conftest import Pusher

MakePusher = Callable[..., Awaitable[Pusher]]
UP = {"__name__": "up", "job": "node", "instance": "web-1:9100"}


async def test_a_sender_in_the_api(site: Site) -> None:
    assert await site.get("/api/v2/senders") == {"items": [], "next_cursor": None}
    async with site.client() as owner:
        answer = await owner.post("/api/v2/senders", json={"name": " lab ", "most_series": 7})
    made = answer.json()
    assert answer.status_code == 201
    assert made["token"].startswith(made["sender"]["prefix"])
    assert set(made["snippets"]) == {"prometheus", "collector", "environment"}
    assert made["token"] in made["snippets"]["environment"]
    assert (await site.get("/api/v2/senders"))["items"] == [made["sender"]]
    assert made["sender"] | {"id": 0, "prefix": 0, "created_at": 0} == {
        "id": 0,
        "name": "lab",
        "prefix": 0,
        "most_series": 7,
        "most_servers": 500,
        "created_at": 0,
        "used_at": None,
        "series": 0,
        "refused_points": 0,
        "refused_at": None,
        "refused_said": None,
    }


async def test_only_a_digest_of_the_token_is_kept(pusher: Pusher) -> None:
    async with database.connection() as connection:
        ((kept,),) = await fetch(connection, "SELECT senders::text FROM senders")
    assert pusher.token not in kept
    assert pusher.token[20:] not in kept


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"name": ""},
        {"name": "\u0007"},
        {"name": "x" * 129},
        {"name": "x", "most_series": 0},
        {"name": "x", "most_servers": 10_001},
        {"name": "x", "team": "y"},
    ],
)
async def test_what_cannot_be_made_is_refused(site: Site, wrong: dict[str, object]) -> None:
    async with site.client() as owner:
        answer = await owner.post("/api/v2/senders", json=wrong)
    assert answer.status_code in {400, 422}
    assert (await site.get("/api/v2/senders"))["items"] == []


async def test_what_a_sender_does_is_told(site: Site, pusher: Pusher) -> None:
    await pusher.write((UP, [(now_ms(), 1.0)]), ({"job": "nameless"}, [(now_ms(), 1.0), (now_ms(), 2.0)]))
    said = await pusher.known()
    assert (said["series"], said["refused_points"]) == (1, 2)
    assert said["refused_said"] == "2 refused, bad_name: a metric without a name"
    assert said["used_at"] == said["refused_at"] == site.clock.now().isoformat().replace("+00:00", "Z")
    site.clock.advance(601)
    said = await pusher.known()
    assert (said["series"], said["refused_points"]) == (0, 2)


async def test_caps_can_be_changed_later(site: Site, make_pusher: MakePusher) -> None:
    pusher = await make_pusher("lab", most_series=1)
    both = [({**UP, "__name__": name}, [(now_ms(), 1.0)]) for name in ("a", "b")]
    assert (await pusher.write(*both)).status_code == 400
    async with site.client() as owner:
        changed = await owner.patch(f"/api/v2/senders/{pusher.id}", json={"most_series": 2})
        assert changed.status_code == 204
        assert (await owner.patch(f"/api/v2/senders/{UUID(int=1)}", json={})).status_code == 404
        assert (await owner.patch(f"/api/v2/senders/{pusher.id}", json={"most_series": 0})).status_code == 400
    assert (await pusher.write(*both)).status_code == 204


async def test_a_revoked_sender_pushes_nothing_more(site: Site, pusher: Pusher) -> None:
    assert (await pusher.write((UP, [(now_ms(), 1.0)]))).status_code == 204
    async with site.client() as owner:
        assert (await owner.delete(f"/api/v2/senders/{pusher.id}")).status_code == 204
        assert (await owner.delete(f"/api/v2/senders/{pusher.id}")).status_code == 404
    answer = await pusher.write((UP, [(now_ms(), 2.0)]))
    assert (answer.status_code, "bad_sender_token" in answer.text) == (401, True)
    assert (await site.get("/api/v2/senders"))["items"] == []
    found = await site.get("/api/v2/series", metric="up", to=str(now_ms() // 1000 + 60))
    assert len(found["series"]) == 1


async def test_a_token_opens_nothing_but_the_push(site: Site, pusher: Pusher) -> None:
    async with site.client(pusher.token) as program:
        for path in ("/api/v2/senders", "/api/v2/servers", "/senders"):
            assert (await program.get(path)).status_code == 401
    async with site.client() as owner:
        assert (await owner.post("/v1/metrics", content=b"")).status_code == 401


async def test_basic_authentication_takes_the_token_as_password(site: Site, pusher: Pusher) -> None:
    async with httpx.AsyncClient(base_url=site.url, auth=("anything", pusher.token)) as program:
        answer = await program.post("/v1/metrics", headers={"content-type": "application/x-protobuf"})
    assert answer.status_code == 200


async def test_who_guesses_is_slowed_down_and_known_senders_are_not(site: Site, pusher: Pusher) -> None:
    assert (await pusher.write()).status_code == 204
    guess = Pusher(site, "", "pud_snd_" + "A" * 43)
    codes = [(await guess.write()).status_code for _ in range(25)]
    assert codes[:20] == [401] * 20
    assert 429 in codes
    answer = await guess.otlp({})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert (await pusher.write()).status_code == 204
    site.clock.advance(61)
    assert (await guess.write()).status_code == 401


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """The owner's, signed in."""
    link = await site.runtime.accounts.ensure_setup_link()
    said = {"name": "Ada", "email": "ada@example.org", "password": "drei Pferde im Regen"}
    async with site.client(token="", **PAGE, **{"sec-fetch-site": "same-origin"}) as browser:
        answer = await browser.post(str(link), data=said)
        assert answer.status_code == 303, answer.text
        yield browser


async def csrf(browser: httpx.AsyncClient) -> str:
    page = (await browser.get("/senders")).text
    return page.partition('name="csrf-token" content="')[2].partition('"')[0]


async def test_the_page_makes_shows_and_revokes(site: Site, browser: httpx.AsyncClient) -> None:
    assert "Nobody sends anything yet" in (await browser.get("/senders")).text
    token = await csrf(browser)
    assert (await browser.post("/senders", data={"name": "lab"})).status_code == 403
    page = await browser.post("/senders", data={"name": "<b>lab</b>", "csrf_token": token})
    assert page.status_code == 200
    assert "<b>lab</b>" not in page.text
    secret = page.text.partition('id="new-token">')[2].partition("<")[0]
    assert page.text.count(secret) == 4
    assert page.headers["cache-control"] == "no-store"
    (sender,) = (await site.get("/api/v2/senders"))["items"]
    pusher = Pusher(site, sender["id"], secret)
    assert (await pusher.write(({"job": "x"}, [(now_ms(), 1.0)]), (UP, [(now_ms(), 1.0)]))).status_code == 400
    await pusher.known()
    listed = (await browser.get("/senders")).text
    assert secret not in listed
    assert "1 of 50,000 series" in listed
    assert "a metric without a name" in listed
    gone = await browser.post(f"/senders/{sender['id']}/revoke", data={"csrf_token": token})
    assert gone.status_code == 303
    assert "Nobody sends anything yet" in (await browser.get("/senders")).text


async def test_the_page_says_which_field_is_wrong(browser: httpx.AsyncClient) -> None:
    token = await csrf(browser)
    for said, words in (
        ({"name": ""}, "1 to 128 characters"),
        ({"name": "x", "most_series": "many"}, "from 1 to 1,000,000 series"),
        ({"name": "x", "most_servers": "0"}, "from 1 to 10,000 servers"),
    ):
        page = await browser.post("/senders", data={**said, "csrf_token": token})
        assert page.status_code == 422
        assert words in page.text
        assert 'aria-invalid="true"' in page.text


async def test_a_server_from_outside_has_a_page_and_a_row(site: Site, pusher: Pusher) -> None:
    await pusher.write((UP, [(now_ms(), 1.0)]))
    (server,) = (await site.get("/api/v2/servers"))["items"]
    async with site.client(**PAGE) as owner:
        listed = (await owner.get("/servers")).text
        page = (await owner.get(f"/servers/{server['id']}")).text
    assert "metrics from outside" in listed
    assert "metrics from outside" in page
    assert "system.cpu.utilization" not in page
    assert "pudim.sender=" in page
