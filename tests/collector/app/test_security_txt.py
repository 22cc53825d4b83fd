"""Whom to tell of a weakness: the file of RFC 9116, which is there when the operator named somebody."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.security_contacts import MOST_CONTACTS
from pudim_collector.app.settings import BadSetting, read_settings

PATH = "/.well-known/security.txt"


async def told(runtime: Runtime, contact: str, url: str | None) -> httpx.Response:
    named = read_settings({"PUDIM_SECURITY_CONTACT": contact}).security_contacts
    settings = replace(runtime.settings, security_contacts=named, public_url=url)
    transport = httpx.ASGITransport(web_application(replace(runtime, settings=settings)))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="https://pudim.test") as client:
        return await client.get(PATH)


async def test_it_names_whom_the_operator_named(runtime: Runtime) -> None:
    answer = await told(
        runtime, "security@pudim.test, https://pudim.test/report tel:+55-11-5555-0100", "https://pudim.test"
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    *contacts, expires, canonical = answer.text.splitlines()
    assert contacts == [
        "Contact: mailto:security@pudim.test",
        "Contact: https://pudim.test/report",
        "Contact: tel:+55-11-5555-0100",
    ]
    assert canonical == f"Canonical: https://pudim.test{PATH}"
    until = datetime.strptime(expires, "Expires: %Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(days=89) < until - runtime.clock.now() <= timedelta(days=90)


async def test_on_plain_http_it_claims_no_place(runtime: Runtime) -> None:
    assert "Canonical" not in (await told(runtime, "security@pudim.test", None)).text


async def test_without_a_contact_there_is_none(runtime: Runtime) -> None:
    assert (await told(runtime, "", "https://pudim.test")).status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        *("nobody", "http://pudim.test/", "javascript:alert(1)", "https://", "https://[", "tel:112", "a@b@c"),
        *("a@pudim.test\x00", "mailto:x", "https://pudim.test/\x1b[0m", "ada@pudim.test?cc=eve@evil.test"),
        " ".join(["ada@pudim.test"] * (MOST_CONTACTS + 1)),
    ],
)
def test_what_is_no_contact_is_named(text: str) -> None:
    with pytest.raises(BadSetting, match="PUDIM_SECURITY_CONTACT"):
        read_settings({"PUDIM_SECURITY_CONTACT": text})


def test_nothing_can_add_a_line() -> None:
    found = read_settings({"PUDIM_SECURITY_CONTACT": "ada@pudim.test\r\nhttps://pudim.test/"})
    assert found.security_contacts == ("mailto:ada@pudim.test", "https://pudim.test/")
    with pytest.raises(BadSetting):
        read_settings({"PUDIM_SECURITY_CONTACT": "ada@pudim.test\nEncryption: https://evil.test/"})
