"""The guard against every notation that leads to a cloud's metadata, and what an operator's narrowing means."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.checks.addresses import METADATA, Guard, faces, networks_of, plain

AGENT, COLLECTOR = Guard(), Guard(private=False)
NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.1.1",
    "fd00:ec2::254",
    "FD00:EC2:0:0:0:0:0:254",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "0:0:0:0:0:ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:5601:5601",
    "2001:db8::5efe:a9fe:a9fe",
    "2001:db8::200:5efe:a9fe:a9fe",
    "::ffff:0:a9fe:a9fe",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "240.0.0.1",
    "0.0.0.0",  # noqa: S104 - nothing listens
    "0.1.2.3",
    "::",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
    "100::1",
]
NO_ADDRESS = [
    "",
    "localhost",
    "0x7f.1",
    "2130706433",
    "127.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "1.2.3.4:80",
    "[::1]",
]
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.8.8.8", "100.64.0.1", "::1", "fd00::1", "fc00::1",
    "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:0a00:0001::1", "198.18.0.1", "::10.0.0.1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700::1111",
    "64:ff9b::101:101",
    "2002:101:101::1",
    "::ffff:1.1.1.1",
]


@pytest.mark.parametrize("address", NEVER)
def test_nobody_may_ask_these(address: str) -> None:
    assert AGENT.refusal(address)
    assert COLLECTOR.refusal(address)
    assert Guard(networks=networks_of(["0.0.0.0/0", "::/0"])).refusal(address)


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_what_is_no_address_is_refused_however_a_resolver_would_read_it(address: str) -> None:
    assert AGENT.refusal(address) == "not an address"


@pytest.mark.parametrize("address", PRIVATE)
def test_private_ones_are_for_agents_only(address: str) -> None:
    assert AGENT.refusal(address) is None
    assert "private" in (COLLECTOR.refusal(address) or "")


@pytest.mark.parametrize("address", PUBLIC)
def test_anybody_may_ask_public_ones(address: str) -> None:
    assert AGENT.refusal(address) is None
    assert COLLECTOR.refusal(address) is None


def test_a_refusal_says_why() -> None:
    assert AGENT.refusal("169.254.169.254") == "a cloud's metadata"
    assert AGENT.refusal("64:ff9b::a9fe:a9fe") == "a cloud's metadata, as 169.254.169.254 inside it"


def test_a_host_narrows_further() -> None:
    guard = Guard(networks=networks_of(["10.1.0.0/16", "192.168.1.7", "2606:4700::/32"]))
    assert guard.refusal("10.1.2.3") is None
    assert guard.refusal("::ffff:10.1.2.3") is None
    assert guard.refusal("192.168.1.7") is None
    assert guard.refusal("2606:4700::1") is None
    for address in ("10.2.0.1", "192.168.1.8", "127.0.0.1", "1.1.1.1", "2607::1", "64:ff9b::a01:203"):
        assert guard.refusal(address), address


@given(st.ip_addresses(v=4))
def test_no_wrapping_makes_an_address_better(inside: IPv4Address) -> None:
    """What is refused as itself is refused in every address that carries it."""
    number = int(inside)
    for carrier in (
        0xFFFF << 32 | number,
        0x64FF9B << 96 | number,
        0x2002 << 112 | number << 80,
        0x20010000 << 96 | number << 64,
        0x20010000 << 96 | (number ^ 0xFFFFFFFF),
        0x20010DB8 << 96 | 0x5EFE << 32 | number,
    ):
        assert COLLECTOR.refusal(str(inside)) is None or COLLECTOR.refusal(str(IPv6Address(carrier)))


@given(st.ip_addresses())
def test_each_address_is_one_of_its_own_faces(address: IPv4Address | IPv6Address) -> None:
    known = plain(str(address))
    assert known is not None
    assert next(faces(known)) == known


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    assert AGENT.refusal(text) is None or AGENT.refusal(text)
    if plain(text) is None:
        assert AGENT.refusal(text)


def test_the_metadata_addresses_are_addresses() -> None:
    assert all(ip_address(str(one)) == one for one in METADATA)


def test_a_policy_narrows_further_and_none_is_no_network() -> None:
    guard = Guard(networks=networks_of(["10.0.0.0/8"]), policy=networks_of(["10.1.0.0/16", "192.0.2.0/24"]))
    assert guard.refusal("10.1.2.3") is None
    assert "policy" in str(guard.refusal("10.2.0.1"))
    assert "policy" not in str(guard.refusal("192.0.2.1"))
    assert Guard(policy=()).refusal("10.1.2.3")
    assert Guard(policy=None).refusal("10.1.2.3") is None
