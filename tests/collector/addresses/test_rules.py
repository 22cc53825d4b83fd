"""Which addresses a list means, and when it would lock its author out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.features.addresses.rules import (
    MOST_NETWORKS,
    BadNetworks,
    LocksOut,
    TooManyNetworks,
    allows,
    check_way_back,
    parse,
    words,
)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], "203.0.113.7", True),
        ([], None, True),
        (["203.0.113.7"], "203.0.113.7", True),
        (["203.0.113.7"], "203.0.113.8", False),
        (["203.0.113.0/24"], "203.0.113.255", True),
        (["203.0.113.0/24"], "::ffff:203.0.113.1", True),
        (["203.0.113.0/24"], "2001:db8::1", False),
        (["2001:db8::/32"], "2001:db8:ffff::1", True),
        (["::/0"], "203.0.113.7", False),
        (["0.0.0.0/0"], None, False),
        (["0.0.0.0/0"], "", False),
        (["0.0.0.0/0"], "unknown", False),
        (["0.0.0.0/0"], "1.2.3.4 ", False),
    ],
)
def test_who_is_on_a_list(networks: list[str], address: str | None, allowed: bool) -> None:
    assert allows(parse(networks), address) is allowed


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x",
        "1.2.3.4/33",
        "1.2.3.4/24",
        "::1/129",
        "fe80::1%eth0",
        "1.2.3",
        "0x7f.1",
        "a" * 100,
        "1.2.3.4 5",
    ],
)
def test_what_is_no_network_is_refused(word: str) -> None:
    with pytest.raises(BadNetworks):
        parse(["203.0.113.7", word])


def test_a_list_has_an_end() -> None:
    assert len(parse([f"10.0.{n}.0/24" for n in range(MOST_NETWORKS)])) == MOST_NETWORKS
    with pytest.raises(TooManyNetworks):
        parse(["10.0.0.1"] * (MOST_NETWORKS + 1))


def test_each_network_stands_there_once() -> None:
    assert list(map(str, parse(["10.0.0.1", "10.0.0.1/32", "::1"]))) == ["10.0.0.1/32", "::1/128"]
    assert words(" 10.0.0.1,\n10.0.0.2\t10.0.0.3,,\r\n") == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_nobody_locks_himself_out_by_mistake() -> None:
    check_way_back(parse(["203.0.113.0/24"]), "203.0.113.7", confirmed=False)
    check_way_back([], None, confirmed=False)
    check_way_back(parse(["203.0.113.0/24"]), "198.51.100.1", confirmed=True)
    for address in ("198.51.100.1", None):
        with pytest.raises(LocksOut):
            check_way_back(parse(["203.0.113.0/24"]), address, confirmed=False)


@given(st.ip_addresses(), st.ip_addresses())
def test_a_single_address_allows_itself_alone(one: object, other: object) -> None:
    found = parse([str(one)]) if "%" not in str(one) else []
    assert allows(found, str(one)) or str(one).startswith("::ffff:")
    assert not found or not allows(found, str(other)) or str(one) == str(other)
