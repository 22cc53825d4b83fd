"""Whatever bytes arrive, the decoders answer with a value or a named refusal, in little time and memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pudim.wire.batches import MAX_BLOCKS, MAX_SEQ, MAX_TIME, Batch, Block, block, decode_batch, span
from pudim.wire.codec import MAX_ITEMS, MAX_MESSAGE_BYTES, pack, unpack
from pudim.wire.layouts import MAX_LABELS, MAX_SERIES, MAX_TEXT, decode_layout, decode_source
from pudim.wire.messages import MAX_PERIOD, Opening, decode_from_collector
from pudim.wire.refusals import BadFrame, Malformed, Oversize, Refusal, TooDeep
from tests.shared.wire import wire_strategies as some
from tests.shared.wire.golden_files import read

BODIES = [bytes.fromhex(one["body"]) for one in read(1, "messages")]
APPENDED = [bytes.fromhex(value) for name, value in read(1, "appended").items() if "hash" not in name]
BOOT, HASH, TIME = b"b" * 16, b"h" * 16, 1_764_000_000_000


def decode_declare(message: tuple[Any, ...]) -> None:
    for part in message[1:3]:
        for one in part if isinstance(part, tuple) else (part,):
            for decode in (decode_layout, lambda value: decode_source(value, {})):
                swallow(decode, one)


def decode_frames(message: tuple[Any, ...]) -> Batch:
    batch = decode_batch(message)
    for one in batch.blocks:
        swallow(lambda value: span(value, 3), one)
    return batch


def swallow(decode: Callable[[Any], Any], value: Any) -> None:
    try:
        decode(value)
    except Refusal as refusal:
        assert type(refusal).code != Refusal.code, "a refusal says its own name"  # noqa: PT017


def everything(body: bytes) -> None:
    """Every decoder over `body`, whichever kind it claims to be."""
    for decode in (Opening.decode, decode_frames, decode_declare, decode_from_collector):
        swallow(lambda value, decode=decode: decode(unpack(value)), body)  # type: ignore[misc]


@contextmanager
def cheaply(megabytes: float = 24.0) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 2**20, f"{peak / 2**20:.0f} MiB for one message"


@given(st.binary(max_size=300))
def test_random_bytes(body: bytes) -> None:
    everything(body)


@given(st.lists(some.anything, max_size=8), st.integers(0, 5))
def test_random_values(fields: list[Any], kind: int) -> None:
    everything(pack([kind, *fields]))


@given(st.sampled_from(BODIES + APPENDED), st.data())
def test_damaged_messages(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body)))
    removed = data.draw(st.integers(0, 9))
    added = data.draw(st.binary(max_size=9))
    everything(body[:at] + added + body[at + removed :])


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_every_byte_of_every_message_may_be_wrong(body: bytes) -> None:
    for at in range(len(body)):
        for wrong in (0x00, 0x7F, 0x81, 0x92, 0xC1, 0xC7, 0xCF, 0xD4, 0xDD, 0xDF, 0xFF, body[at] ^ 1):
            everything(body[:at] + bytes([wrong]) + body[at + 1 :])
        everything(body[:at])


def _header(code: int, claimed: int) -> bytes:
    return bytes([code]) + claimed.to_bytes(4, "big")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x90", id="an empty list"),
        pytest.param(b"\x80", id="a map"),
        pytest.param(b"\x2a", id="a number"),
        pytest.param(b"\x91\xc1", id="the byte msgpack never uses"),
        pytest.param(b"\x92\x01", id="cut short"),
        pytest.param(b"\x91\x01\x01", id="one byte too many"),
        pytest.param(_header(0xDD, 2**32 - 1), id="a list of 2^32 items"),
        pytest.param(_header(0xDF, 2**32 - 1), id="a map of 2^32 items"),
        pytest.param(b"\x91" + _header(0xDB, 2**32 - 1), id="a text of 4 GiB"),
        pytest.param(b"\x91" + _header(0xC6, 2**32 - 1), id="bytes of 4 GiB"),
        pytest.param(b"\x91" + _header(0xC9, 2**32 - 1) + b"\x01", id="an extension of 4 GiB"),
        pytest.param(b"\xd5\x01\x01\x01", id="an extension, which decodes to a tuple"),
        pytest.param(b"\x91\xc7\x00\x05", id="an empty extension"),
        pytest.param(b"\x91\xd6\xff\x00\x00\x00\x00", id="a timestamp"),
        pytest.param(b"\x91\xd4\xff\x00", id="a timestamp of one byte"),
        pytest.param(b"\x91\xd7\xff" + b"\xff" * 8, id="a timestamp with too many nanoseconds"),
        pytest.param(b"\x91\xa2\xc3\x28", id="broken UTF-8"),
        pytest.param(b"\x91\xa3\xed\xa0\x80", id="a lone surrogate"),
        pytest.param(b"\x92\x01\x81\x01\x02", id="a number as a map's key"),
        pytest.param(b"\x92\x01\x81\x90\x02", id="a list as a map's key"),
        pytest.param(b"\x92\x01\x81\x80\x02", id="a map as a map's key"),
    ],
)
def test_what_is_no_message_is_malformed(body: bytes) -> None:
    with cheaply(), pytest.raises(Malformed):
        unpack(body)


def test_deep_nesting_is_too_deep() -> None:
    for open_one in (b"\x91", b"\x81\xa0", b"\xdd\x00\x00\x00\x01"):
        with cheaply(), pytest.raises(TooDeep):
            unpack(b"\x91" + open_one * 100_000 + b"\xc0")


@pytest.mark.parametrize("depth", [9, 100, 500, 600, 1000])
def test_deep_nesting_in_a_known_message_is_too_deep(depth: int) -> None:
    deep = b"\x91" * depth + b"\xc0"
    opening = pack([1, TIME, "0.1", BOOT, 10_000])[1:]
    for decode, body in [
        (Opening.decode, b"\x96" + opening + deep),
        (decode_batch, b"\x92\x02" + deep),
        (decode_from_collector, b"\x92\x01" + deep),
        (decode_layout, b"\x91\x94" + pack("m") + pack("1") + b"\x80" + deep),
    ]:
        with cheaply(), pytest.raises(TooDeep):
            decode(unpack(body))


def test_a_field_of_the_future_may_be_anything_and_is_not_looked_at() -> None:
    body = b"\x97" + pack([1, TIME, "0.1", BOOT, 10_000, {}])[1:] + b"\x91" * 900 + b"\xc0"
    assert Opening.decode(unpack(body)).interval == 10_000


@pytest.mark.parametrize("claimed", [MAX_ITEMS, MAX_ITEMS + 1, 100_000, 1_000_000])
def test_nested_lists_that_claim_a_million_items_each_cost_little(claimed: int) -> None:
    body = _header(0xDD, claimed) * 900
    with cheaply(), pytest.raises(Refusal):
        unpack(body + b"\0" * (MAX_MESSAGE_BYTES - len(body)))


@pytest.mark.parametrize("small", [b"\x80", b"\x81\xa0\xc0", b"\x91\xc0", b"\xca\x3f\x80\x00\x00"])
def test_a_megabyte_of_tiny_items_is_refused_before_it_grows(small: bytes) -> None:
    count = (MAX_MESSAGE_BYTES - 8) // len(small)
    with cheaply(megabytes=4), pytest.raises(Malformed):
        unpack(_header(0xDD, count) + small * count)


def test_the_largest_message_is_read_and_one_byte_more_is_oversize() -> None:
    whole = pack([2, b"\0" * (MAX_MESSAGE_BYTES - 7)])
    assert len(whole) == MAX_MESSAGE_BYTES
    assert unpack(whole)[0] == 2
    with pytest.raises(Oversize):
        unpack(whole + b"\0")


def _opening(**changed: Any) -> tuple[Any, ...]:
    fields = {"sent_at": TIME, "version": "0.1", "boot_id": BOOT, "interval": 10_000, "facts": {}}
    return (1, *(fields | changed).values())


@pytest.mark.parametrize(
    "changed",
    [
        {"sent_at": -1},
        {"sent_at": MAX_TIME + 1},
        {"sent_at": True},
        {"sent_at": 1.5},
        {"version": b"0.1"},
        {"version": "v" * (MAX_TEXT + 1)},
        {"version": "nul\0"},
        {"boot_id": b"short"},
        {"boot_id": "b" * 16},
        {"interval": 0},
        {"interval": MAX_PERIOD + 1},
        {"interval": False},
        {"facts": ()},
        {"facts": {"host.name": 1}},
        {"facts": {b"host.name": "text"}},
        {"facts": {"nul": "\0"}},
        {"facts": {str(one): "" for one in range(MAX_LABELS + 1)}},
    ],
    ids=str,
)
def test_an_opening_out_of_bounds_is_malformed(changed: dict[str, Any]) -> None:
    assert Opening.decode(_opening())
    with pytest.raises(Malformed):
        Opening.decode(_opening(**changed))


def _batch(**changed: Any) -> tuple[Any, ...]:
    fields = {
        "boot_id": BOOT,
        "seq": 5,
        "skipped": 2,
        "sent_at": TIME,
        "blocks": ((HASH, b"\0" * 8, b"\0" * 8),),
    }
    return (2, *(fields | changed).values())


@pytest.mark.parametrize(
    "changed",
    [
        {"boot_id": b""},
        {"seq": 0},
        {"seq": -1},
        {"seq": MAX_SEQ + 1},
        {"seq": 2**64 - 1},
        {"seq": True, "skipped": 0},
        {"seq": 5.0},
        {"skipped": -1},
        {"skipped": 5},
        {"skipped": False},
        {"sent_at": -1},
        {"sent_at": 2**64 - 1},
        {"blocks": ()},
        {"blocks": ((HASH, b"", b""),) * (MAX_BLOCKS + 1)},
        {"blocks": ((HASH, b""),)},
        {"blocks": (("h" * 16, b"", b""),)},
        {"blocks": ((b"short", b"", b""),)},
        {"blocks": {}},
    ],
    ids=lambda changed: str(changed)[:60],
)
def test_a_batch_out_of_bounds_is_malformed(changed: dict[str, Any]) -> None:
    assert decode_batch(_batch())
    with pytest.raises(Malformed):
        decode_batch(_batch(**changed))


@pytest.mark.parametrize(
    "message",
    [
        (0,),
        (-1, BOOT, 1),
        ("ack", BOOT, 1),
        (1, b"short", 1),
        (1, BOOT, -1),
        (1, BOOT, True),
        (1, BOOT, MAX_SEQ + 1),
        (2, -1),
        (2, MAX_PERIOD + 1),
        (2, True),
        (3, -1),
        (3, MAX_PERIOD + 1),
        (4, "busy", "", 1, None, None, None),
        (4, b"busy", "", True, None, None, None),
        (4, "busy", "", True, b"short", None, None),
        (4, "busy", "", True, None, -1, None),
        (4, "busy", "", True, None, None, 1.0),
        (4, "busy", "", True),
    ],
    ids=str,
)
def test_a_collectors_message_out_of_bounds_is_malformed(message: tuple[Any, ...]) -> None:
    with pytest.raises(Malformed):
        decode_from_collector(message)


@pytest.mark.parametrize(
    "layout",
    [
        (),
        "layout",
        (("m", "1", {}),) * (MAX_SERIES + 1),
        (("", "1", {}),),
        (("m" * (MAX_TEXT + 1), "1", {}),),
        (("m", 1, {}),),
        (("m", "1", ()),),
        (("m", "1", {"k": None}),),
        (("m", "1", {b"k": "v"}),),
        (("m\0", "1", {}),),
        (("m", "1"),),
    ],
    ids=lambda layout: str(layout)[:60],
)
def test_a_layout_out_of_bounds_is_malformed(layout: Any) -> None:
    assert decode_layout((("m", "1", {}),) * MAX_SERIES)
    with pytest.raises(Malformed):
        decode_layout(layout)


def test_a_source_names_a_layout_that_was_declared() -> None:
    layout = decode_layout((("m", "1", {}),))
    assert decode_source(("host", {}, layout.hash), {layout.hash: layout}).layout is layout
    for wrong in [
        ("host", {}, HASH),
        ("", {}, layout.hash),
        ("host", {}),
        ("host", {"k": 1}, layout.hash),
        7,
    ]:
        with pytest.raises(Malformed):
            decode_source(wrong, {layout.hash: layout})


@pytest.mark.parametrize(
    ("times", "values", "width"),
    [
        (b"", b"", 1),
        (b"\0" * 7, b"\0" * 7, 1),
        (b"\0" * 8, b"\0" * 16, 1),
        (b"\0" * 8, b"", 3),
        (b"\0" * 8, b"\0" * 8, 2),
        (b"\0" * 16, b"\0" * 16, 1),
        (block(HASH, [3, 2], []).times, b"\0" * 16, 1),
    ],
)
def test_a_block_that_does_not_fit_its_source_is_a_bad_frame(times: bytes, values: bytes, width: int) -> None:
    with pytest.raises(BadFrame):
        span(Block(HASH, times, values), width)


@given(st.binary(max_size=64), st.binary(max_size=64), st.integers(1, 4))
@example(b"\xff" * 16, b"\xff" * 16, 1)
def test_random_blocks(times: bytes, values: bytes, width: int) -> None:
    swallow(lambda one: span(one, width), Block(HASH, times, values))


def test_a_repeated_label_counts_once_and_cannot_make_two_hashes_one() -> None:
    twice = b"\x91\x93" + pack("m") + pack("1") + b"\x82" + (pack("k") + pack("a") + pack("k") + pack("b"))
    layout = decode_layout(unpack(twice))
    assert layout.series[0].labels == (("k", "b"),)
    assert layout.hash == decode_layout(unpack(pack([["m", "1", {"k": "b"}]]))).hash
