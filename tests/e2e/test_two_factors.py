"""Two factors as people meet them: an app and a passkey, a team that demands one, and roles that count at once."""

from __future__ import annotations

import base64
import hmac
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.running import RunningPudim

pytestmark = [pytest.mark.browser, pytest.mark.processes]

PICTURES = Path(__file__).parent / "screenshots"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
OWNER, EMAIL, PASSWORD = "Ada Prado", "ada@example.org", "a long walk by the sea"
MEMBER, MEMBERS_EMAIL, MEMBERS_PASSWORD = "Bo Lund", "bo@example.org", "four grey geese on the lake"
STEP_SECONDS = 30
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class App:
    """An authenticator app: RFC 6238 over RFC 4226, by the standard library alone."""

    secret: str
    last_step: int = 0

    def code(self) -> str:
        """One that was not shown before; a phone's clock may be half a minute ahead."""
        self.last_step = max(self.last_step + 1, int(time.time()) // STEP_SECONDS)
        digest = hmac.digest(base64.b32decode(self.secret), struct.pack(">Q", self.last_step), "sha1")
        at = digest[-1] & 0xF
        (number,) = struct.unpack(">I", digest[at : at + 4])
        return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


@dataclass
class Person:
    page: Page
    app: App | None = None
    codes: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@dataclass
class People:
    owner: Person
    member: Person
    url: str


async def somebody(context: BrowserContext) -> Person:
    page = await context.new_page()
    person = Person(page)
    page.on("pageerror", lambda error: person.complaints.append(str(error)))
    page.on("console", lambda said: _complain(person, said.type, said.text))
    return person


def _complain(person: Person, kind: str, text: str) -> None:
    if kind == "error" and not text.startswith("Failed to load resource"):  # a refusal is an answer
        person.complaints.append(text)


@pytest.fixture(scope="module")
async def people(browser: Browser, pudim: RunningPudim) -> AsyncIterator[People]:
    # Browsers offer passkeys under a name, and on http under this one alone.
    url = f"http://localhost:{pudim.port}"
    contexts = [await browser.new_context(viewport=DESK, base_url=url) for _ in range(2)]
    owner, member = [await somebody(one) for one in contexts]
    yield People(owner, member, url)
    assert owner.complaints == member.complaints == []


async def pictures(page: Page, name: str) -> None:
    """Of a desk, a phone, and in the dark; nothing is wider than its screen."""
    PICTURES.mkdir(exist_ok=True)
    for kind, size, scheme in (("desk", DESK, "light"), ("phone", PHONE, "light"), ("dark", DESK, "dark")):
        await page.set_viewport_size(size)
        await page.emulate_media(color_scheme=scheme)
        await page.evaluate("new Promise(requestAnimationFrame)")
        await page.screenshot(
            path=PICTURES / f"two-factors-{name}-{kind}.png", full_page=True, animations="disabled"
        )
        wide = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, (name, kind)
    await page.set_viewport_size(DESK)
    await page.emulate_media(color_scheme="light")


async def add_app(person: Person, name: str) -> None:
    """From the page where an app is added, through its codes, to where that leads."""
    page = person.page
    person.app = App(await page.locator("p code").inner_text())
    await expect(page.locator("svg.qr")).to_be_visible()
    await pictures(page, f"{name}-app")
    await page.get_by_label("Code").fill(person.app.code())
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    person.codes = (await page.locator("#recovery-codes").inner_text()).split()
    assert len(set(person.codes)) == 10
    await pictures(page, f"{name}-codes")
    await page.get_by_role("link", name="Go on").click()


async def show_password(page: Page, email: str, password: str) -> None:
    await page.goto("/sign-in")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def sign_out(page: Page) -> None:
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_title("Sign in · Pudim")


async def test_an_app_is_added_and_its_codes_are_shown_once(people: People, pudim: RunningPudim) -> None:
    page = people.owner.page
    await page.goto(pudim.access["setup_url"].replace(pudim.access["url"], people.url))
    await page.get_by_label("Your name").fill(OWNER)
    await page.get_by_label("Email").fill(EMAIL)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await expect(page).to_have_title("Servers · Pudim")
    await page.goto("/account/factors")
    await pictures(page, "none")
    await page.get_by_role("link", name="Add an app").click()
    await add_app(people.owner, "own")
    await expect(page.get_by_text("10 of 10 are left")).to_be_visible()
    assert people.owner.codes[0] not in await page.content()


async def test_a_passkey_is_added(people: People) -> None:
    page = people.owner.page
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    await page.get_by_label("Name of the passkey").fill("laptop")
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("cell", name="laptop", exact=True)).to_be_visible()
    await pictures(page, "own")
    await page.goto("/account/sessions")
    await expect(page.get_by_text("Chrome on Linux")).to_be_visible()
    await pictures(page, "sessions")


async def test_each_code_of_the_app_lets_in_once(people: People) -> None:
    page, app = people.owner.page, people.owner.app
    assert app is not None
    await sign_out(page)
    await pictures(page, "sign-in")
    await page.get_by_role("link", name="Lost your password?").click()
    await pictures(page, "lost")
    await show_password(page, EMAIL, PASSWORD)
    await expect(page).to_have_title("Second step · Pudim")
    await page.goto("/servers")  # a right password alone opens nothing
    await expect(page).to_have_title("Sign in · Pudim")
    await page.goto("/sign-in/factor")
    await pictures(page, "second-step")
    code = app.code()
    await page.get_by_label("Code").fill(code)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page).to_have_title("Servers · Pudim")
    await sign_out(page)
    await show_password(page, EMAIL, PASSWORD)
    await page.get_by_label("Code").fill(code)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_text("was used already")).to_be_visible()
    await pictures(page, "refused")
    await page.get_by_label("Code").fill(people.owner.codes[0])
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page).to_have_title("Servers · Pudim")


async def test_a_passkey_lets_in_without_a_password(people: People) -> None:
    page = people.owner.page
    await sign_out(page)
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page).to_have_title("Servers · Pudim")
    await page.goto("/account/prove?next=/account/factors")
    await pictures(page, "prove")
    await page.get_by_role("button", name="Confirm with a passkey").click()
    await expect(page.get_by_text("9 of 10 are left")).to_be_visible()


async def test_who_has_none_is_led_to_adding_one_and_can_do_nothing_else(people: People) -> None:
    owner, page = people.owner.page, people.member.page
    await owner.goto("/team/invitations")
    await owner.get_by_label("Email").fill(MEMBERS_EMAIL)
    await owner.get_by_role("button", name="Invite", exact=True).click()
    link = await owner.locator("#invitation-link").inner_text()
    await page.goto(f"/invitations/{link.rpartition('/')[2]}")
    await page.get_by_label("Your name").fill(MEMBER)
    await page.get_by_label("Password").fill(MEMBERS_PASSWORD)
    await page.get_by_role("button", name="Create account and join").click()
    await expect(page).to_have_title("Servers · Pudim")

    await owner.goto("/team")
    await expect(owner.get_by_text("1 of 2 members has none yet.")).to_be_visible()
    await pictures(owner, "team")
    await owner.get_by_role("button", name="Demand a second factor").click()
    await expect(owner.get_by_role("button", name="Demand it no more")).to_be_visible()
    await pictures(owner, "team-demands")

    # His session is from before, and so is the page that he looks at.
    await page.get_by_role("link", name="Team", exact=True).click()
    await expect(page).to_have_title("Add a second factor · Pudim")
    for path in ("/servers", "/servers/add", "/team/roles", "/account/profile", "/account/factors"):
        await page.goto(path)
        await expect(page).to_have_title("Add a second factor · Pudim")
    answer = await page.request.get("/api/v2/servers")
    assert (answer.status, (await answer.json())["code"]) == (403, "factor_needed")
    await pictures(page, "enrol")
    await page.get_by_role("link", name="Add an app").click()
    await add_app(people.member, "enrol")
    await expect(page).to_have_title("Servers · Pudim")
    await owner.reload()
    await expect(owner.get_by_text("Every member has one.")).to_be_visible()
    await page.goto("/account/factors")
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("and this is your last one")).to_be_visible()
    await pictures(page, "last")


async def cells(page: Page, permission: str) -> dict[str, str]:
    """By role, what the matrix says of one permission."""
    matrix = page.get_by_role("table", name="What each role allows")
    heads = await matrix.locator("thead th").all_text_contents()
    row = matrix.get_by_role("row").filter(has=page.get_by_text(permission, exact=True))
    said = await row.locator("td .visually-hidden").all_text_contents()
    return dict(zip(heads[1:], said, strict=True))


async def test_a_role_of_the_teams_own_counts_at_once(people: People) -> None:
    owner, page = people.owner.page, people.member.page
    await owner.goto("/team/roles")
    before = await cells(owner, "servers:enrol")
    assert (before["owner"], before["admin"], before["viewer"]) == ("yes", "yes", "no")
    await pictures(owner, "roles")
    answer = await page.goto("/servers/add")
    assert answer is not None
    assert answer.status == 403
    await owner.get_by_text("Make a role", exact=True).click()
    making = owner.locator("form[action='/team/roles']")
    await making.get_by_label("Name", exact=True).fill("Enroller")
    for permission in ("servers:read", "servers:enrol"):
        await making.locator(f"input[name='{permission}']").check()
    await making.get_by_role("button", name="Make role").click()
    assert (await cells(owner, "servers:enrol"))["Enroller"] == "yes"
    assert (await cells(owner, "servers:revoke"))["Enroller"] == "no"

    await owner.goto("/team")
    row = owner.get_by_role("row").filter(has=owner.get_by_text(MEMBERS_EMAIL))
    await row.get_by_role("combobox").select_option(label="Enroller")
    await row.get_by_role("button", name="Save").click()
    await owner.get_by_role("link", name=MEMBER).click()
    await expect(owner.get_by_text("Enroller in the team").first).to_be_visible()
    await pictures(owner, "member")
    answer = await page.goto("/servers/add")
    assert answer is not None
    assert answer.status == 200
    await page.get_by_role("button", name="Make the enrolment line").click()
    await expect(page.get_by_text("pudim agent enrol").first).to_be_visible()
