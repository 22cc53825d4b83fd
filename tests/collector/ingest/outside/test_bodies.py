"""Compressed bodies: what is made plain, and that no few bytes become many."""

import gzip
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_collector.ingest.outside.bodies import gunzip, unsnap
from pudim_collector.ingest.outside.refusals import BodyTooLarge, Undecodable
from tests.collector.ingest.outside.made import snappy

MOST = 1 << 20


@given(st.binary(max_size=2000))
def test_what_was_compressed_comes_back(content: bytes) -> None:
    assert gunzip(gzip.compress(content), MOST) == content
    assert unsnap(snappy(content), MOST) == content


def test_several_members_of_gzip_are_one_content() -> None:
    assert gunzip(gzip.compress(b"a") + gzip.compress(b"b"), 2) == b"ab"


def test_exactly_as_much_as_allowed_is_taken_and_a_byte_more_is_not() -> None:
    for compress, plain in ((gzip.compress, gunzip), (snappy, unsnap)):
        assert len(plain(compress(bytes(1000)), 1000)) == 1000
        with pytest.raises(BodyTooLarge):
            plain(compress(bytes(1001)), 1000)


def test_members_count_together() -> None:
    with pytest.raises(BodyTooLarge):
        gunzip(gzip.compress(bytes(600)) * 2, 1000)


def test_a_gzip_bomb_is_refused_before_it_grows() -> None:
    bomb = gzip.compress(bytes(200 << 20), 9)
    assert len(bomb) < 300_000
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        gunzip(bomb, MOST)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MOST


def test_a_snappy_bomb_is_refused_by_what_it_says_of_itself() -> None:
    bomb = b"\xff\xff\xff\xff\x0f" + bytes(20)  # claims 4 GiB
    tracemalloc.start()
    with pytest.raises(BodyTooLarge, match="4294967295"):
        unsnap(bomb, MOST)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MOST


def test_a_snappy_block_that_understates_its_length_is_refused() -> None:
    true = snappy(bytes(5000))
    with pytest.raises(Undecodable):
        unsnap(b"\x05" + true[2:], MOST)


@pytest.mark.parametrize(
    "body",
    [b"", b"\x1f\x8b", gzip.compress(b"x" * 100)[:-4], zlib.compress(b"x"), gzip.compress(b"x") + b"tail"],
)
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Undecodable):
        gunzip(body, MOST)


@given(st.binary(max_size=200))
def test_any_bytes_are_made_plain_or_refused(body: bytes) -> None:
    for plain in (gunzip, unsnap):
        with suppress(BodyTooLarge, Undecodable):
            assert len(plain(body, 1000)) <= 1000
