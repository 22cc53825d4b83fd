"""A key is succeeded by what the key before signed for this use, once, in time and in order; every other word has its named no."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pudim import succession
from pudim.succession import (
    COLLECTOR_DOMAIN,
    LINK_BYTES,
    MAX_LINKS,
    MAX_SKEW_MS,
    RELEASE_DOMAIN,
    Pin,
    SuccessionDowngraded,
    SuccessionExpired,
    SuccessionForged,
    SuccessionOfAnotherKey,
    SuccessionRefused,
    SuccessionReplayed,
    SuccessionTooEarly,
    SuccessionUnreadable,
    Successor,
)
from pudim.wire.keys import private_from_bytes, public_bytes, signed_by

NOW = 1_780_000_000_000
LIFE = 86_400_000
KEYS = [private_from_bytes(bytes([number]) * 32) for number in range(1, 9)]
STRANGER = private_from_bytes(b"\x77" * 32)


def link(
    before: Ed25519PrivateKey,
    after: Ed25519PrivateKey,
    epoch: int = 1,
    *,
    signer: Ed25519PrivateKey | None = None,
    domain: bytes = COLLECTOR_DOMAIN,
    at: int = NOW,
) -> bytes:
    said = Successor(epoch, public_bytes(before), public_bytes(after), at, at + LIFE).encode()
    return said + (signer or before).sign(domain + said)


def heard(pin: Pin, said: bytes, now: int = NOW) -> Pin:
    return succession.announced(pin, said, domain=COLLECTOR_DOMAIN, signed_by=signed_by, now=now)


def follow(pin: Pin, links: list[bytes], now: int = NOW) -> Pin:
    return succession.followed(pin, links, domain=COLLECTOR_DOMAIN, signed_by=signed_by, now=now)


FIRST = Pin(public_bytes(KEYS[0]))
CHAIN = [link(before, after, number) for number, (before, after) in enumerate(pairwise(KEYS), 1)]


def test_a_successor_waits_until_its_holder_shows_it() -> None:
    waiting = heard(FIRST, CHAIN[0])
    assert waiting.believed == (public_bytes(KEYS[0]), public_bytes(KEYS[1]))
    assert heard(waiting, CHAIN[0]) == waiting, "the same word again changes nothing"
    assert waiting.shown(public_bytes(KEYS[0])) == waiting
    assert waiting.shown(public_bytes(KEYS[1])) == Pin(public_bytes(KEYS[1]), 1)


@dataclass
class Case:
    pin: Pin
    said: bytes
    no: type[SuccessionRefused]
    now: int = NOW


SECOND = Pin(public_bytes(KEYS[1]), 1)
CASES = {
    "signed by a stranger": Case(FIRST, link(KEYS[0], KEYS[1], signer=STRANGER), SuccessionForged),
    "signed by the successor itself": Case(FIRST, link(KEYS[0], KEYS[1], signer=KEYS[1]), SuccessionForged),
    "signed for releases": Case(FIRST, link(KEYS[0], KEYS[1], domain=RELEASE_DOMAIN), SuccessionForged),
    "said again after it was followed": Case(SECOND, CHAIN[0], SuccessionReplayed),
    "back to the key before": Case(SECOND, link(KEYS[1], KEYS[0], 1), SuccessionReplayed),
    "of another installation": Case(FIRST, link(STRANGER, KEYS[1]), SuccessionOfAnotherKey),
    "of a key that is not known yet": Case(FIRST, CHAIN[1], SuccessionOfAnotherKey),
    "another one as new": Case(heard(FIRST, CHAIN[0]), link(KEYS[0], STRANGER, 1), SuccessionDowngraded),
    "one that was taken back": Case(heard(FIRST, link(KEYS[0], KEYS[2], 2)), CHAIN[0], SuccessionDowngraded),
    "before its time": Case(FIRST, CHAIN[0], SuccessionTooEarly, NOW - MAX_SKEW_MS - 1),
    "after its time": Case(FIRST, CHAIN[0], SuccessionExpired, NOW + LIFE),
    "by itself": Case(FIRST, link(KEYS[0], KEYS[0]), SuccessionUnreadable),
    "cut short": Case(FIRST, CHAIN[0][:-1], SuccessionUnreadable),
    "with more": Case(FIRST, CHAIN[0] + b"\0", SuccessionUnreadable),
    "of another version": Case(FIRST, CHAIN[0][:4] + b"\2" + CHAIN[0][5:], SuccessionUnreadable),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_not_in_order_is_refused_by_name(case: Case) -> None:
    with pytest.raises(case.no) as refused:
        heard(case.pin, case.said, case.now)
    assert type(refused.value) is case.no
    assert refused.value.code != SuccessionRefused.code


def test_every_refusal_has_a_code_of_its_own() -> None:
    kinds = SuccessionRefused.__subclasses__()
    assert len({kind.code for kind in kinds}) == len(kinds) == 7


@pytest.mark.parametrize("at", range(LINK_BYTES))
def test_no_bit_of_a_link_can_be_changed(at: int) -> None:
    changed = CHAIN[0][:at] + bytes([CHAIN[0][at] ^ 1]) + CHAIN[0][at + 1 :]
    with pytest.raises(SuccessionRefused):
        heard(FIRST, changed)


def test_a_newer_successor_takes_the_place_of_one_that_waits() -> None:
    again = heard(heard(FIRST, CHAIN[0]), link(KEYS[0], KEYS[2], 2))
    assert again.believed == (public_bytes(KEYS[0]), public_bytes(KEYS[2]))


def test_a_small_skew_of_clocks_hinders_nothing() -> None:
    assert heard(FIRST, CHAIN[0], NOW - MAX_SKEW_MS).successor is not None


@pytest.mark.parametrize("known", range(len(CHAIN)))
def test_who_was_away_follows_from_whichever_key_it_knows(known: int) -> None:
    pin, own = Pin(public_bytes(KEYS[known]), known), public_bytes(KEYS[-1])
    assert follow(pin, succession.path(CHAIN, pin.believed, own)) == Pin(own, len(CHAIN))


def test_who_knew_a_successor_follows_from_that() -> None:
    pin, own = heard(FIRST, CHAIN[0]), public_bytes(KEYS[3])
    shown = succession.path(CHAIN[:3], pin.believed, own)
    assert shown == CHAIN[1:3], "what is known already is not shown again"
    assert follow(pin, shown) == Pin(own, 3)


def test_no_path_is_shown_where_none_is_needed_or_none_leads() -> None:
    own = public_bytes(KEYS[1])
    assert succession.path(CHAIN[:1], [own], own) == []
    assert succession.path(CHAIN[:1], [public_bytes(STRANGER)], own) == []
    assert succession.path([], [public_bytes(KEYS[0])], own) == []
    dangling = [CHAIN[0], link(KEYS[1], STRANGER, 2)]
    assert succession.path(dangling, [public_bytes(KEYS[0])], own) == [CHAIN[0]]


def test_one_bad_link_breaks_a_chain() -> None:
    forged = link(KEYS[1], KEYS[2], 2, signer=STRANGER)
    with pytest.raises(SuccessionForged):
        follow(FIRST, [CHAIN[0], forged])
    with pytest.raises(SuccessionOfAnotherKey):
        follow(FIRST, [CHAIN[0], CHAIN[2]])


def test_a_chain_is_split_into_whole_links() -> None:
    assert succession.split(b"".join(CHAIN)) == CHAIN
    for damaged in (CHAIN[0] + b"x", bytes((MAX_LINKS + 1) * LINK_BYTES)):
        with pytest.raises(SuccessionUnreadable):
            succession.split(damaged)


@given(st.binary(max_size=2 * LINK_BYTES) | st.binary(min_size=LINK_BYTES, max_size=LINK_BYTES))
def test_random_bytes_are_refused_by_name(said: bytes) -> None:
    with pytest.raises(SuccessionRefused):
        heard(FIRST, said)
