"""Every notation and kind of address that a request must not be led by, decided without a network."""

from __future__ import annotations

import gzip
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.checks.addresses import plain
from pudim_collector.infra.safe_http.allowing import Allowed
from pudim_collector.infra.safe_http.errors import BadRedirect, BadRequest, BadUrl, Malformed, TooLarge
from pudim_collector.infra.safe_http.judging import Place, embedded, nat64_prefixes, refusal
from pudim_collector.infra.safe_http.requests import Request, redirected
from pudim_collector.infra.safe_http.targets import ends_in_a_number, follow, target
from pudim_collector.infra.safe_http.unpacking import Body

NOWHERE, NOBODY = Place(), Allowed()
EVERYTHING = Allowed.parse("0.0.0.0/0 ::/0 x.test")
OWN_PREFIX = Place(translated=(IPv6Network("2a00:1098:2b::/96"),))
NEVER = [
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"),
    *("169.254.1.1", "fe80::1", "fe80::1%eth0", "fec0::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "240.0.0.1"),  # noqa: S104
    *("255.255.255.255", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "100::1"),
    *("::ffff:1.1.1.1", "64:ff9b:1::101:101", "::ffff:0:a9fe:a9fe", "2001:db8::5efe:a9fe:a9fe"),
    *("::169.254.169.254", "2001:0:a9fe:a9fe::1", "fd20:ce::254"),
    *("0x7f.1", "2130706433", "0177.0.0.1", "127.1", "127.0.0.1.", "localhost", "", "1.1.1.1:80", "[::1]"),
]  # fmt: skip
NOT_PUBLIC = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1"),
    *("100.127.255.255", "192.0.0.1", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("::1", "fc00::1", "fd12:3456::1", "2001:db8::1", "3fff::1", "2002:101:101::1", "2001:0:101:101::fefe:fefe", "2001:10::1"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "::7f00:1", "4000::1", "5f00::1", "64:ff9b::c000:201"),
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101", "2a00:1450::1"]


@pytest.mark.parametrize("address", NEVER)
def test_these_are_never_asked_whatever_the_operator_allows(address: str) -> None:
    assert refusal("x.test", 443, address, NOBODY, NOWHERE)
    assert refusal("x.test", 443, address, EVERYTHING, NOWHERE)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_these_only_where_the_operator_allows_them(address: str) -> None:
    assert refusal("x.test", 443, address, NOBODY, NOWHERE)
    assert refusal("x.test", 443, address, EVERYTHING, NOWHERE) is None
    assert refusal("x.test", 443, address, Allowed.parse("x.test"), NOWHERE) is None
    assert refusal("x.test", 443, address, Allowed.parse("y.test, 1.2.3.4"), NOWHERE)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ones_are_asked(address: str) -> None:
    assert refusal("x.test", 443, address, NOBODY, NOWHERE) is None


@pytest.mark.parametrize("inside", ["169.254.169.254", "127.0.0.1", "10.1.2.3", "192.0.2.1"])
@pytest.mark.parametrize("length", [32, 40, 48, 56, 64, 96])
def test_the_networks_own_translation_is_looked_through(length: int, inside: str) -> None:
    place = Place(translated=(IPv6Network((int(IPv6Address("2a00:1098:2b:0:a:b::")), length), strict=False),))
    written = translated(place.translated[0], IPv4Address(inside))
    assert refusal("x.test", 443, str(written), NOBODY, place)
    assert refusal("x.test", 443, str(written), NOBODY, NOWHERE) is None
    public = translated(place.translated[0], IPv4Address("1.1.1.1"))
    assert refusal("x.test", 443, str(public), NOBODY, place) is None


def translated(prefix: IPv6Network, inside: IPv4Address) -> IPv6Address:
    """As RFC 6052's table in section 2.2 draws it: byte by byte, the eighth left out."""
    written = bytearray(prefix.network_address.packed)
    places = [at for at in range(prefix.prefixlen // 8, 16) if at != 8][:4]
    for at, one in zip(places, inside.packed, strict=True):
        written[at] = one
    return IPv6Address(bytes(written))


@given(st.ip_addresses(v=4), st.sampled_from([32, 40, 48, 56, 64, 96]))
def test_what_is_embedded_is_found_again(inside: IPv4Address, length: int) -> None:
    prefix = IPv6Network((int(IPv6Address("2a00:1098:2b::")), length), strict=False)
    assert embedded(translated(prefix, inside), length) == inside


def test_the_prefix_is_learned_from_the_well_known_name() -> None:
    said = ["192.0.0.170", "192.0.0.171", "2a00:1098:2b::c000:aa", "2a00:1098:2b::c000:ab", "nonsense"]
    assert nat64_prefixes(said) == OWN_PREFIX.translated
    assert nat64_prefixes(["2a00:1450::1"]) == ()
    rfc = translated(IPv6Network("2001:db8:122:344::/64"), IPv4Address("192.0.0.170"))
    assert nat64_prefixes([str(rfc)]) == (IPv6Network("2001:db8:122:344::/64"),)


def test_this_hosts_own_addresses_are_not_asked() -> None:
    own = [plain("93.184.216.34"), plain("2606:4700::1111")]
    place = Place(own=frozenset(one for one in own if one is not None))
    for address in ("93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"):
        assert refusal("x.test", 443, address, NOBODY, place) == "own address"
        assert refusal("x.test", 443, address, EVERYTHING, place) is None
    assert refusal("x.test", 443, "93.184.216.35", NOBODY, place) is None


@given(st.ip_addresses(v=4), st.sampled_from([0x64FF9B << 96, 0xFFFF << 32, 0]))
def test_no_wrapping_makes_an_address_better(inside: IPv4Address, carrier: int) -> None:
    if refusal("x.test", 443, str(inside), NOBODY, NOWHERE):
        assert refusal("x.test", 443, str(IPv6Address(carrier | int(inside))), NOBODY, NOWHERE)


@given(st.ip_addresses())
def test_what_is_asked_is_public_by_the_standard_librarys_own_word(
    address: IPv4Address | IPv6Address,
) -> None:
    if address in IPv6Network("64:ff9b::/96"):
        return
    assert address.is_global or refusal("x.test", 443, str(address), NOBODY, NOWHERE)


@pytest.mark.parametrize("port", [1, 22, 25, 53, 79, 81, 389, 445, 1023, 2049, 6000, 6667, 10080])
def test_ports_of_other_protocols_need_the_operators_word(port: int) -> None:
    assert refusal("x.test", port, "1.1.1.1", NOBODY, NOWHERE) == "port"
    assert refusal("x.test", port, "1.1.1.1", Allowed.parse("x.test"), NOWHERE) == "port"
    assert refusal("x.test", port, "1.1.1.1", Allowed.parse(f"x.test:{port}"), NOWHERE) is None


@pytest.mark.parametrize("port", [80, 443, 1024, 8080, 8443, 65535])
def test_usual_ports_are_asked(port: int) -> None:
    assert refusal("x.test", port, "1.1.1.1", NOBODY, NOWHERE) is None


def test_an_entry_with_a_port_allows_no_other() -> None:
    allowed = Allowed.parse("10.0.0.1:8443 [fd00::1]:8443 hooks.test:9000 192.168.0.0/16:8080")
    assert refusal("10.0.0.1", 8443, "10.0.0.1", allowed, NOWHERE) is None
    assert refusal("10.0.0.1", 443, "10.0.0.1", allowed, NOWHERE) == "port"
    assert refusal("x.test", 8443, "fd00::1", allowed, NOWHERE) is None
    assert refusal("hooks.test", 9000, "10.9.9.9", allowed, NOWHERE) is None
    assert refusal("hooks.test", 9001, "10.9.9.9", allowed, NOWHERE) == "port"
    assert refusal("other.test", 9000, "10.9.9.9", allowed, NOWHERE) == "private"
    assert refusal("x.test", 8080, "192.168.3.4", allowed, NOWHERE) is None


@pytest.mark.parametrize(
    "text",
    [
        *("10.0.0.0/33", "10.0.0.1:0", "10.0.0.1:65536", "http://x.test", "x.test/path", "a b:c", "0x7f.1"),
        *("2130706433", "*.test", "[::1", "[x]:1", "-x.test", "user@x.test", "127.1", "10.0.0.256"),
        " ".join(f"10.0.{one // 256}.{one % 256}" for one in range(257)),
    ],
)
def test_what_allows_nothing_that_can_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are for people
        Allowed.parse(text)


def test_nothing_allowed_is_nothing() -> None:
    assert Allowed.parse("") == Allowed.parse(" \n") == Allowed()


@pytest.mark.parametrize(
    "url",
    [
        *("http://0x7f.1/", "http://0x7f000001/", "http://2130706433/", "http://017700000001/", "http://127.1/"),
        *("http://0177.0.0.1/", "http://127.0.0.1./", "http://1.1.1.1./", "http://x.0x1/", "http://x.1/"),
        *("http://1.1.1.1..", "http://x.test../", "http://0x.test.0x/", "http://①②⑦.1/", "http://[::1%25eth0]/"),
        *("http://[::1%eth0]/", "http://[fe80::1%1]/", "http://[v1.x]/", "http://[::1/", "http://::1/"),
        *("http://user@x.test/", "http://user:pass@x.test/", "http://x.test@127.0.0.1/", "http://@x.test/"),
        *("http:\\\\x.test\\", "http://x.test\\@127.0.0.1/", "http:///x.test", "http:x.test", "//x.test/", "x.test"),
        *("ftp://x.test/", "file:///etc/passwd", "gopher://x.test/", "dict://x.test:11211/", "unix:///run/x"),
        *("javascript:alert(1)", "data:text/plain,x", "http+unix://x", "ws://x.test/", "HTTPS//x.test", ""),
        *("http://x.test:0/", "http://x.test:65536/", "http://x.test:80:80/", "http://x.test:http/", "http://x.test:-1/"),
        *("http://x.test/\r\nHost: y", "http://x .test/", "http://x\t.test/", "http://x.test\x00/", "http://\n127.0.0.1/"),
        *("http://x%2etest/", "http://127.0.0.1%00.test/", "http://%31%32%37.0.0.1/", "http://-x.test/", "http://x..y/"),
        *("http://xn--\u2100.test/", "http://" + "a" * 64 + ".test/", "http://" + "a." * 130 + "test/"),
        "http://x.test/" + "a" * 4096,
    ],
)  # fmt: skip
def test_a_url_with_two_readings_is_refused(url: str) -> None:
    with pytest.raises(BadUrl):
        target(url)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://x.test", "x.test", 443, "/"),
        ("HTTP://X.Test.:8080/a?b=c#d", "x.test", 8080, "/a?b=c"),
        ("https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443, "/"),
        ("https://bücher.test/ä", "xn--bcher-kva.test", 443, "/%C3%A4"),
        ("http://good.test#@evil.test/", "good.test", 80, "/"),
        ("http://good.test?@evil.test/", "good.test", 80, "/?@evil.test/"),
        ("http://good.test/@evil.test", "good.test", 80, "/@evil.test"),
        ("http://１２７.０.０.１/", "127.0.0.1", 80, "/"),  # noqa: RUF001 - the digits are what is tried
    ],
)
def test_a_url_has_one_reading(url: str, host: str, port: int, path: str) -> None:
    found = target(url)
    assert (found.host, found.port, found.path) == (host, port, path)


@given(st.text(max_size=60))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}/"):
        try:
            found = target(url)
        except BadUrl:
            continue
        assert plain(found.host) is not None or not ends_in_a_number(found.host)
        assert "@" not in found.authority
        assert found.host.isascii()


def test_a_refusal_does_not_repeat_the_url() -> None:
    for url in ("http://x.test:s3cret/", "http://s3cret@x.test/", "s3cret://x.test", "http://[s3cret]/"):
        with pytest.raises(BadUrl) as said:
            target(url)
        assert "s3cret" not in str(said.value)


@pytest.mark.parametrize(
    ("location", "host"),
    [("/next", "x.test"), ("//y.test/a", "y.test"), ("https://z.test/", "z.test"), ("?q=1", "x.test")],
)
def test_a_redirect_leads_on(location: str, host: str) -> None:
    assert follow(target("https://x.test/a"), location).host == host


@pytest.mark.parametrize(
    "location",
    [
        "http://x.test/",
        "ftp://x.test/",
        "https://u@x.test/",
        "https://0x7f.1/",
        "https://[",
        "\\\\y\\",
        "/" * 5000,
    ],
)
def test_a_redirect_leads_nowhere(location: str) -> None:
    with pytest.raises(BadRedirect):
        follow(target("https://x.test/a"), location)


SECRETS = {"Authorization": "Bearer s", "Cookie": "s", "X-Api-Key": "s", "Accept": "text/plain"}


def test_secrets_stay_with_their_origin() -> None:
    asked, before = Request("https://x.test/", headers=SECRETS), target("https://x.test/")
    assert redirected(asked, before, target("https://x.test/b"), 302).headers == SECRETS
    for elsewhere in ("https://y.test/", "https://x.test:8443/", "https://x.test.y.test/"):
        assert redirected(asked, before, target(elsewhere), 302).headers == {"Accept": "text/plain"}


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_that_is_led_elsewhere_becomes_a_get(status: int) -> None:
    asked = Request("https://x.test/", "POST", {"Content-Type": "text/plain"}, b"body")
    after = redirected(asked, target("https://x.test/"), target("https://y.test/"), status)
    assert (after.method, after.body, after.headers) == ("GET", None, {})


@pytest.mark.parametrize(("method", "status"), [("POST", 307), ("POST", 308), ("PUT", 302)])
def test_a_body_goes_to_no_other_origin(method: str, status: int) -> None:
    asked, before = Request("https://x.test/", method, {}, b"body"), target("https://x.test/")
    assert redirected(asked, before, target("https://x.test/b"), status).body == b"body"
    with pytest.raises(BadRedirect):
        redirected(asked, before, target("https://y.test/"), status)


@pytest.mark.parametrize(
    "request_",
    [
        Request("https://x.test/", "CONNECT"),
        Request("https://x.test/", "GET / HTTP/1.1\r\nX: y\r\n"),
        Request("https://x.test/", headers={"X": "a\r\nHost: y"}),
        Request("https://x.test/", headers={"X": "a\x00"}),
        Request("https://x.test/", headers={"X\r\nY": "a"}),
        Request("https://x.test/", headers={"X": "ü"}),
        Request("https://x.test/", headers={"X": "a" * 9000}),
        Request("https://x.test/", headers={"": "a"}),
        *(
            Request("https://x.test/", headers={name: "1"})
            for name in ("Host", "content-length", "Transfer-Encoding", "Connection", "Upgrade", "Expect")
        ),
        Request("https://x.test/", headers={f"X-{one}": "" for one in range(65)}),
        Request("https://x.test/", patience=0),
        Request("https://x.test/", patience=3600),
        Request("https://x.test/", redirects=6),
    ],
)
def test_such_a_request_is_never_sent(request_: Request) -> None:
    with pytest.raises(BadRequest):
        request_.check()


def test_a_request_does_not_show_its_secrets() -> None:
    shown = repr(Request("https://x.test/", "POST", {"Authorization": "s3cret"}, b"s3cret"))
    assert "s3cret" not in shown


@given(st.binary(max_size=5000), st.integers(1, 100))
def test_a_body_in_pieces_is_the_body(body: bytes, step: int) -> None:
    for encoding, sent in (("", body), ("gzip", gzip.compress(body))):
        found = Body(encoding, 10_000)
        for at in range(0, len(sent), step):
            found.add(sent[at : at + step])
        assert found.whole() == body


def test_a_bomb_is_stopped_before_it_is_unpacked() -> None:
    body = Body("gzip", 1000)
    with pytest.raises(TooLarge):
        body.add(gzip.compress(bytes(10_000_000))[:900])
    assert len(body._found) <= 1001


def unpacked(sent: bytes) -> bytes:
    body = Body("gzip", 1000)
    body.add(sent)
    return body.whole()


@pytest.mark.parametrize("sent", [b"no gzip", gzip.compress(b"x")[:-4], gzip.compress(b"x") + b"more"])
def test_what_is_packed_badly_is_refused(sent: bytes) -> None:
    with pytest.raises(Malformed):
        unpacked(sent)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "x-gzip"])
def test_what_was_not_offered_is_not_unpacked(encoding: str) -> None:
    with pytest.raises(Malformed):
        Body(encoding, 1000)
