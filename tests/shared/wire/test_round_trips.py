"""Whatever is written is read back the same, for every value within the link's bounds."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from pudim.wire import keys
from pudim.wire.batches import BOOT_BYTES, MAX_SEQ, Block, decode_batch, encode_batch, encode_blocks, span
from pudim.wire.channel import HEADER_BYTES, Channel
from pudim.wire.codec import pack, unpack
from pudim.wire.handshake import AgentHandshake, CollectorHandshake
from pudim.wire.layouts import (
    Layout,
    Series,
    Source,
    decode_layout,
    decode_source,
    encode_declaration,
    labels_of,
)
from pudim.wire.messages import DECLARE, FromCollector, Opening, decode_from_collector, encode_declare
from tests.shared.wire import wire_strategies as some
from tests.shared.wire.golden_files import SESSION


@given(some.openings)
def test_opening(opening: Opening) -> None:
    assert Opening.decode(unpack(opening.encode())) == opening


@given(some.from_collector)
def test_from_collector(said: FromCollector) -> None:
    assert decode_from_collector(unpack(said.encode())) == said


@given(st.lists(some.sources, max_size=4))
def test_declaration(declared: list[Source]) -> None:
    kind, layouts, sources = unpack(encode_declare(*encode_declaration(declared)))
    known = {layout.hash: layout for layout in map(decode_layout, layouts)}
    assert kind == DECLARE
    assert len(known) == len(layouts), "each layout once"
    assert [decode_source(source, known) for source in sources] == declared


@given(some.layouts)
def test_a_layouts_hash_is_its_own(layout: Layout) -> None:
    again = decode_layout(unpack(pack(layout.encoded())))
    assert again == layout
    assert again.hash == layout.hash
    other = Layout((*layout.series, Series("one.more", "1")))
    assert other.hash != layout.hash


@given(some.labels)
def test_labels_are_the_same_in_any_order(labels: dict[str, str]) -> None:
    assert labels_of(labels) == labels_of(dict(reversed(labels.items())))


@given(
    st.binary(min_size=BOOT_BYTES, max_size=BOOT_BYTES),
    st.integers(1, MAX_SEQ),
    some.moments,
    st.lists(some.blocks(), min_size=1, max_size=4),
)
def test_batch(boot_id: bytes, seq: int, sent_at: int, blocks: list[Block]) -> None:
    batch = decode_batch(unpack(encode_batch(boot_id, seq, seq - 1, sent_at, encode_blocks(blocks))))
    assert (batch.boot_id, batch.seq, batch.skipped, batch.sent_at) == (boot_id, seq, seq - 1, sent_at)
    assert list(batch.blocks) == blocks
    for one in batch.blocks:
        first, last = span(one, len(one.values) // len(one.times))
        assert first <= last


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
def test_a_channel_carries_bodies_in_order(bodies: list[bytes], from_agent: bool) -> None:
    sender, receiver = Channel.of_agent(SESSION), Channel.of_collector(SESSION)
    if not from_agent:
        sender, receiver = receiver, sender
    sealed = [sender.seal(body) for body in bodies]
    assert [receiver.open(one) for one in sealed] == bodies
    assert [len(one) - HEADER_BYTES for one in sealed] == list(map(len, bodies))


@given(st.uuids(), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_both_ends_agree_on_keys_that_no_other_session_has(agent_id: UUID, seed: bytes, other: bytes) -> None:
    agent_key, collector_key = keys.private_from_bytes(seed), keys.private_from_bytes(other)
    seen = set()
    for _ in range(2):
        agent = AgentHandshake(agent_id, agent_key, collector_key.public_key())
        collector = CollectorHandshake(agent.hello(), collector_key)
        proof, session = agent.prove(collector.welcome)
        assert collector.finish(proof, agent_key.public_key()) == session
        assert collector.agent_id == agent_id
        seen |= {session.to_agent, session.to_collector}
    assert len(seen) == 4


@given(st.binary(min_size=32, max_size=32))
def test_a_keys_text_form(raw: bytes) -> None:
    assert keys.from_text(keys.to_text(raw)) == raw
    private = keys.private_from_bytes(raw)
    public = keys.public_bytes(private)
    assert keys.private_bytes(private) == raw
    assert keys.public_bytes(keys.public_from_bytes(public)) == public
