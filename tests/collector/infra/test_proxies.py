"""Who asks, as proxies tell it: spoofed, hidden, endless and broken words never become somebody's address."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.infra.proxies import (
    MOST_CHARACTERS,
    MOST_HOPS,
    BadProxies,
    BehindProxies,
    ProxyHeaders,
    TrustedProxies,
    node,
)

NETWORKS = "10.0.0.0/8, 2001:db8:1::/48,unix"


def corrected(
    peer: str | None,
    headers: dict[str, str] | list[tuple[str, str]],
    *,
    family: ProxyHeaders = ProxyHeaders.X_FORWARDED,
    kind: str = "http",
) -> Any:
    proxies = TrustedProxies.parse(NETWORKS, family)
    pairs = headers.items() if isinstance(headers, dict) else headers
    scope = {
        "type": kind,
        "client": (peer, 4711) if peer else None,
        "scheme": "http" if kind == "http" else "ws",
        "headers": [(b"host", b"inside:8460"), *((n.encode(), v.encode("latin-1")) for n, v in pairs)],
    }

    async def unused(*_: Any) -> None:
        raise AssertionError

    return BehindProxies(unused, proxies).corrected(scope)


def address(peer: str | None, headers: dict[str, str] | list[tuple[str, str]], **how: Any) -> str | None:
    client = corrected(peer, headers, **how)["client"]
    return client[0] if client else None


@pytest.mark.parametrize("peer", ["203.0.113.9", "127.0.0.1", "::1", "2001:db8:2::1", "11.0.0.1"])
def test_a_stranger_cannot_say_who_he_is(peer: str) -> None:
    said = {
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "evil.example",
        "forwarded": "for=10.0.0.1;proto=https;host=evil.example",
        "x-real-ip": "10.0.0.1",
    }
    for family in ProxyHeaders:
        found = corrected(peer, said, family=family)
        assert found["client"] == (peer, 4711)
        assert found["scheme"] == "http"
        assert (b"host", b"inside:8460") in found["headers"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("198.51.100.7:1234", "198.51.100.7"),
        ("[2001:db8:9::1]:1234", "2001:db8:9::1"),
        ("2001:db8:9::1", "2001:db8:9::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("192.0.2.1, 198.51.100.7", "198.51.100.7"),  # the client wrote the first one itself
        ("192.0.2.1, 198.51.100.7, 10.1.1.1", "198.51.100.7"),
        ("192.0.2.1, 198.51.100.7, 10.1.1.1, 2001:db8:1::5", "198.51.100.7"),
        ("10.9.9.9, 10.1.1.1", "10.9.9.9"),  # all of them are ours: it began there
        ("192.0.2.1, unknown", None),
        ("192.0.2.1, _hidden", None),
        ("192.0.2.1,", None),
        ("", None),
        ("192.0.2.1, 10.0.0.999", None),
        ("192.0.2.1, 127.1", None),
        ("192.0.2.1, 0x7f000001", None),
        ("192.0.2.1, fe80::1%eth0", None),
        ("192.0.2.1, [::1", None),
        ("192.0.2.1, [1.2.3.4]:5", None),
        ("192.0.2.1, 1.2.3.4:99999", None),
        ("192.0.2.1, 1.2.3.4:-1", None),
        ("192.0.2.1, 1.2.3.4:", None),
        ("192.0.2.1, <script>", None),
    ],
)
def test_the_right_most_stranger_asks(said: str, expected: str | None) -> None:
    assert address("10.0.0.1", {"x-forwarded-for": said}) == expected
    assert address("::ffff:10.0.0.1", {"x-forwarded-for": said}) == expected
    assert address(None, {"x-forwarded-for": said}) == expected


def test_several_lines_are_one_list() -> None:
    lines = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "198.51.100.7")]
    assert address("10.0.0.1", lines) == "198.51.100.7"


def test_a_proxy_that_names_nobody_asks_itself() -> None:
    assert address("10.0.0.1", {}) == "10.0.0.1"
    assert address(None, {}) is None
    assert address("10.0.0.1", {"forwarded": "for=192.0.2.1"}) == "10.0.0.1"  # the client's, not the proxy's


def test_a_chain_without_end_leads_to_nobody() -> None:
    chain = ", ".join(["192.0.2.1"] + ["10.0.0.2"] * MOST_HOPS)
    assert address("10.0.0.1", {"x-forwarded-for": chain}) is None
    assert address("10.0.0.1", {"x-forwarded-for": chain.removesuffix(", 10.0.0.2")}) == "192.0.2.1"
    assert address("10.0.0.1", {"x-forwarded-for": "," * 100_000 + "198.51.100.7"}) == "198.51.100.7"
    assert address("10.0.0.1", {"x-forwarded-for": "," * 100_000}) is None
    long = "11.2.3.4" + " " * (MOST_CHARACTERS - 7)  # cut, its end would read 1.2.3.4
    assert address("10.0.0.1", {"x-forwarded-for": long}) is None


def test_scheme_and_host_are_the_nearest_proxys_words() -> None:
    said = {
        "x-forwarded-for": "198.51.100.7",
        "x-forwarded-proto": "http, https",
        "x-forwarded-host": "evil.example, pudim.example.org:8443",
    }
    found = corrected("10.0.0.1", said)
    assert found["scheme"] == "https"
    assert [value for name, value in found["headers"] if name == b"host"] == [b"pudim.example.org:8443"]
    assert corrected("10.0.0.1", said, kind="websocket")["scheme"] == "wss"


@pytest.mark.parametrize("word", ["", "ftp", "https ", "HTTPS://", "a b", "x/../y", "a:99999999", "[::1"])
def test_no_nonsense_becomes_scheme_or_host(word: str) -> None:
    found = corrected("10.0.0.1", {"x-forwarded-proto": f"{word}!", "x-forwarded-host": f"{word}/"})
    assert found["scheme"] == "http"
    assert (b"host", b"inside:8460") in found["headers"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("for=198.51.100.7", "198.51.100.7"),
        ('For="[2001:db8:9::1]:4711"', "2001:db8:9::1"),
        ('for=192.0.2.1;proto=http, for="198.51.100.7:80";by=10.0.0.1', "198.51.100.7"),
        ("for=192.0.2.1, for=198.51.100.7, for=10.2.2.2", "198.51.100.7"),
        ('for=192.0.2.1, for="_gazonk"', None),
        ("for=192.0.2.1, for=unknown", None),
        ("for=192.0.2.1, proto=https", None),
        ('for=192.0.2.1, for="198.51.100.7', None),
        ('for="192.0.2.1, for=10.0.0.2', None),
        ("for=192.0.2.1;for=198.51.100.7", None),
        ("for=192.0.2.1,", None),
        (",,,,", None),
        (";", None),
        ("for=192.0.2.1 for=198.51.100.7", None),
        (r'for="198.51.100\.7"', "198.51.100.7"),
        ("for=198.51.100.7," * 1000 + "for=10.0.0.2", None),
    ],
)
def test_the_standard_header_says_the_same(said: str, expected: str | None) -> None:
    assert address("10.0.0.1", {"forwarded": said}, family=ProxyHeaders.FORWARDED) == expected


def test_the_standard_header_tells_scheme_and_host() -> None:
    said = {
        "forwarded": 'for=192.0.2.1;host=evil.example, for=198.51.100.7;proto=HTTPS;host="pudim.test:8443"'
    }
    found = corrected("10.0.0.1", said, family=ProxyHeaders.FORWARDED)
    assert found["scheme"] == "https"
    assert [value for name, value in found["headers"] if name == b"host"] == [b"pudim.test:8443"]
    ignored = corrected("10.0.0.1", {"x-forwarded-proto": "https"}, family=ProxyHeaders.FORWARDED)
    assert ignored["scheme"] == "http"


@given(st.text(max_size=200), st.sampled_from(ProxyHeaders))
def test_whatever_stands_there_the_nearest_proxys_word_decides(written: str, family: ProxyHeaders) -> None:
    spoof = written.encode("utf-8").decode("latin-1")
    if family is ProxyHeaders.X_FORWARDED:
        said = {"x-forwarded-for": f"{spoof},198.51.100.7"}
        assert address("10.0.0.1", said, family=family) == "198.51.100.7"
    else:
        said = {"forwarded": f"{spoof},for=198.51.100.7"}
        assert address("10.0.0.1", said, family=family) in {"198.51.100.7", None}


@given(st.text(max_size=60))
def test_a_node_is_an_address_or_nothing(text: str) -> None:
    found = node(text)
    assert found is None or (node(found[0]) == (found[0], 0) and 0 <= found[1] < 65_536)


def test_what_is_trusted_is_written_as_networks() -> None:
    assert TrustedProxies.parse("") == TrustedProxies()
    assert not TrustedProxies.parse("10.0.0.0/8").trusts(None)
    assert TrustedProxies.parse("unix").trusts(None)
    assert not TrustedProxies.parse("unix").trusts("127.0.0.1")
    assert TrustedProxies.parse("::1").trusts("::1")
    for wrong in ("10.0.0.1/8", "all", "*", "10.0.0.0-10.0.0.9", "10.0.0.0/33"):
        with pytest.raises(BadProxies):
            TrustedProxies.parse(wrong)
