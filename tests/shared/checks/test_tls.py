"""Certificates of real servers: trusted, ended, too early, for another name, signed by nobody."""

import asyncio
import datetime as dt

import pytest

from pudim.checks import Outcome, Status
from pudim.checks.certificates import DAY, REMAINING
from tests.shared.checks.places import Authority, Made, around, found, serving


async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def asked(made: Made, **settings: object) -> Outcome:
    async def resolve(_host: str) -> list[str]:
        return ["127.0.0.1"]

    async with serving(quiet, made.context) as port:
        given = {"host": "shop.test", "port": port, **settings}
        return await found("tls", around(resolve=resolve), **given)


async def test_a_good_certificate(authority: Authority) -> None:
    outcome = await asked(authority.made("shop.test", "www.shop.test"), ca=authority.pem)
    assert (outcome.status, outcome.detail) == (Status.UP, "shop.test, www.shop.test, 90 days left")
    assert outcome.figures[REMAINING] / DAY == pytest.approx(90, abs=0.1)


@pytest.mark.parametrize(
    ("names", "changed", "code", "days"),
    [
        (("shop.test",), {"end": dt.timedelta(days=-3)}, "certificate_expired", -3),
        (("shop.test",), {"start": dt.timedelta(days=2)}, "certificate_not_yet_valid", 90),
        (("other.test",), {}, "certificate_name", 90),
        (("shop.test",), {"self_signed": True}, "certificate_self_signed", 90),
        (("shop.test",), {"end": dt.timedelta(days=5)}, "certificate_ends_soon", 5),
    ],
)
async def test_one_that_is_not(
    authority: Authority, names: tuple[str, ...], changed: dict[str, object], code: str, days: int
) -> None:
    made = authority.made(*names, **changed)  # type: ignore[arg-type]
    outcome = await asked(made, ca=authority.pem)
    assert (outcome.status, outcome.code) == (Status.DOWN, code)
    assert outcome.figures[REMAINING] / DAY == pytest.approx(days, abs=0.1)
    if code == "certificate_name":
        assert "it is for other.test" in outcome.detail


async def test_the_systems_authorities_do_not_know_it(authority: Authority) -> None:
    assert (await asked(authority.made("shop.test"))).code == "certificate_untrusted"


async def test_another_name_may_be_asked_for(authority: Authority) -> None:
    assert (await asked(authority.made("other.test"), ca=authority.pem, name="other.test")).code == "ok"


async def test_a_port_without_tls_and_one_that_is_closed() -> None:
    async with serving(quiet) as port:
        assert (await found("tls", host="127.0.0.1", port=port, timeout=0.3)).code == "timeout"

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ESMTP\r\n")
        await writer.drain()
        await reader.read()

    async with serving(rude) as port:
        assert (await found("tls", host="127.0.0.1", port=port)).code == "tls_failed"
    assert (await found("tls", host="127.0.0.1", port=port)).code == "refused"
