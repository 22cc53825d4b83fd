"""Yesterday's bytes are understood today, and today's code still writes them: no agent is left behind."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

import pytest

from pudim.succession import COLLECTOR_DOMAIN, RELEASE_DOMAIN, Pin, Successor
from pudim.wire import VERSIONS, enrolment, keys
from pudim.wire.batches import decode_batch, encode_batch, encode_blocks, span
from pudim.wire.channel import Channel
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
from pudim.wire.messages import (
    Ack,
    Configure,
    Opening,
    Refuse,
    SlowDown,
    decode_from_collector,
    encode_declare,
)
from pudim.wire.messages import Successor as SuccessorSaid
from tests.shared.wire.golden_files import (
    AGENT_ID,
    AGENT_KEY,
    COLLECTOR_KEY,
    GOLDEN,
    HANDSHAKE,
    SESSION,
    agent_end,
    block_of,
    collector_end,
    ephemeral,
    read,
)

FROM_COLLECTOR = {"ack": Ack, "configure": Configure, "slow_down": SlowDown, "refuse": Refuse}
KINDS = {"opening": 1, "batch": 2, "declare": 3} | dict(zip(FROM_COLLECTOR, (1, 2, 3, 4), strict=True))
MESSAGES = read(1, "messages")
APPENDED = read(1, "appended")


def layouts() -> dict[str, Layout]:
    found = read(1, "layouts")["layouts"]
    return {
        one["name"]: Layout(tuple(Series(m, u, labels_of(labels)) for m, u, labels in one["series"]))
        for one in found
    }


def sources() -> list[Source]:
    found = read(1, "layouts")["sources"]
    return [Source(one["name"], labels_of(one["labels"]), layouts()[one["layout"]]) for one in found]


def messages(name: str) -> list[dict[str, Any]]:
    return [one for one in MESSAGES if one["name"] == name]


def of_kind(*names: str) -> Any:
    found = [one for one in MESSAGES if one["name"] in names]
    return pytest.mark.parametrize("entry", found, ids=[f"{n}-{one['name']}" for n, one in enumerate(found)])


def test_every_version_spoken_has_its_vectors() -> None:
    assert {path.name for path in GOLDEN.iterdir() if path.is_dir()} >= set(map(str, VERSIONS)), (
        "a protocol version without golden vectors: see tests/shared/wire/golden/README.md"
    )


def test_every_kind_of_message_has_vectors() -> None:
    assert {one["name"] for one in MESSAGES} == set(KINDS)
    assert all(bytes.fromhex(one["body"])[1] == KINDS[one["name"]] for one in MESSAGES)


def test_handshake() -> None:
    agent = agent_end()
    assert agent.hello().hex() == HANDSHAKE["hello"]
    collector = collector_end(bytes.fromhex(HANDSHAKE["hello"]))
    assert collector.welcome.hex() == HANDSHAKE["welcome"]
    proof, session = agent.prove(bytes.fromhex(HANDSHAKE["welcome"]))
    assert proof.hex() == HANDSHAKE["proof"]
    assert session == SESSION
    public = keys.public_from_bytes(keys.public_bytes(keys.private_from_bytes(b"\x11" * 32)))
    assert collector.finish(bytes.fromhex(HANDSHAKE["proof"]), public) == SESSION


def test_a_greeting_after_a_change_of_the_collectors_key() -> None:
    vectors = read(1, "succession")
    after = keys.private_from_bytes(bytes.fromhex(vectors["successor_seed"]))
    said = Successor(
        vectors["epoch"],
        keys.public_bytes(COLLECTOR_KEY),
        keys.public_bytes(after),
        vectors["not_before"],
        vectors["expires"],
    )
    for name, domain in (("link", COLLECTOR_DOMAIN), ("release_link", RELEASE_DOMAIN)):
        assert (said.encode() + COLLECTOR_KEY.sign(domain + said.encode())).hex() == vectors[name]
    link = bytes.fromhex(vectors["link"])
    assert decode_from_collector(unpack(bytes.fromhex(vectors["message"]))) == SuccessorSaid(link)
    assert SuccessorSaid(link).encode().hex() == vectors["message"]
    agent = AgentHandshake(
        AGENT_ID, AGENT_KEY, Pin(said.previous), now=vectors["at"], ephemeral=ephemeral("agent")
    )
    assert agent.hello().hex() == vectors["hello"]
    collector = CollectorHandshake(agent.hello(), after, links=[link], ephemeral=ephemeral("collector"))
    assert collector.welcome.hex() == vectors["welcome"]
    proof, session = agent.prove(bytes.fromhex(vectors["welcome"]))
    assert proof.hex() == vectors["proof"]
    assert collector.finish(proof, AGENT_KEY.public_key()) == session
    expected = vectors["session"]
    assert (session.to_collector.hex(), session.to_agent.hex()) == (
        expected["to_collector"],
        expected["to_agent"],
    )
    assert agent.pin == Pin(said.key, 1)


@pytest.mark.parametrize("end", ["agent", "collector"])
def test_sealed_messages(end: str) -> None:
    sealed = [bytes.fromhex(one) for one in read(1, "sealed")[end]]
    bodies = [bytes.fromhex(one["body"]) for one in MESSAGES if one["sender"] == end]
    of_sender, of_receiver = Channel.of_agent, Channel.of_collector
    if end == "collector":
        of_sender, of_receiver = of_receiver, of_sender
    receiver, sender = of_receiver(SESSION), of_sender(SESSION)
    assert [receiver.open(one) for one in sealed] == bodies
    assert [sender.seal(one) for one in bodies] == sealed


def test_layout_and_source_hashes() -> None:
    vectors = read(1, "layouts")
    for entry, layout in zip(vectors["layouts"], layouts().values(), strict=True):
        assert pack(layout.encoded()).hex() == entry["encoding"]
        assert layout.hash.hex() == entry["hash"]
        assert decode_layout(unpack(bytes.fromhex(entry["encoding"]))) == layout
    known = {layout.hash: layout for layout in layouts().values()}
    for entry, source in zip(vectors["sources"], sources(), strict=True):
        assert pack(source.encoded()).hex() == entry["encoding"]
        assert source.hash.hex() == entry["hash"]
        assert decode_source(unpack(bytes.fromhex(entry["encoding"])), known) == source


@of_kind("opening")
def test_opening(entry: dict[str, Any]) -> None:
    opening = Opening.decode(unpack(bytes.fromhex(entry["body"])))
    assert asdict(opening) == entry["reads"] | {"boot_id": bytes.fromhex(entry["reads"]["boot_id"])}
    assert opening.encode().hex() == entry["body"] or entry.get("decodes_only")


@of_kind("declare")
def test_declare(entry: dict[str, Any]) -> None:
    _, declared_layouts, declared_sources = unpack(bytes.fromhex(entry["body"]))
    known = {layout.hash: layout for layout in map(decode_layout, declared_layouts)}
    found = [decode_source(one, known) for one in declared_sources]
    assert [one.hex() for one in known] == entry["reads"]["layouts"]
    assert [one.hash.hex() for one in found] == entry["reads"]["sources"]
    assert encode_declare(*encode_declaration(found)).hex() == entry["body"] or entry.get("decodes_only")


@of_kind("batch")
def test_batch(entry: dict[str, Any]) -> None:
    reads = entry["reads"]
    blocks = tuple(map(block_of, reads["blocks"]))
    batch = decode_batch(unpack(bytes.fromhex(entry["body"])))
    assert (batch.boot_id.hex(), batch.seq, batch.skipped, batch.sent_at) == tuple(
        reads[field] for field in ("boot_id", "seq", "skipped", "sent_at")
    )
    assert batch.blocks == blocks
    assert [one.frames for one in batch.blocks] == [len(one["times"]) for one in reads["blocks"]]
    written = encode_batch(batch.boot_id, batch.seq, batch.skipped, batch.sent_at, encode_blocks(blocks))
    assert written.hex() == entry["body"] or entry.get("decodes_only")


@of_kind(*FROM_COLLECTOR)
def test_from_collector(entry: dict[str, Any]) -> None:
    said = decode_from_collector(unpack(bytes.fromhex(entry["body"])))
    assert isinstance(said, FROM_COLLECTOR[entry["name"]])
    reads = dict(entry["reads"])
    if reads.get("boot_id"):
        reads["boot_id"] = bytes.fromhex(reads["boot_id"])
    assert asdict(said) == reads
    assert said.encode().hex() == entry["body"] or entry.get("decodes_only")


def test_enrolment() -> None:
    vector = read(1, "enrolment")
    agent, collector = (
        keys.private_from_bytes(bytes.fromhex(vector[f"{end}_seed"])) for end in ("agent", "collector")
    )
    assert keys.to_text(keys.public_bytes(agent)) == vector["agent_public_key"]
    assert keys.to_text(keys.public_bytes(collector)) == vector["collector_public_key"]
    token, agent_id = vector["token"], UUID(vector["agent_id"])
    proof = enrolment.sign_request(token, agent, collector.public_key())
    answer = enrolment.sign_answer(token, agent.public_key(), agent_id, collector)
    assert keys.to_text(proof) == vector["proof"]
    assert keys.to_text(answer) == vector["signature"]
    enrolment.verify_request(token, agent.public_key(), collector.public_key(), proof)
    enrolment.verify_answer(token, agent.public_key(), agent_id, collector.public_key(), answer)


def test_a_newer_agent_of_the_same_version_is_understood() -> None:
    assert Opening.decode(unpack(bytes.fromhex(APPENDED["opening"]))).agent_version == "9.9.9"
    _, (layout,), (source,), *_ = unpack(bytes.fromhex(APPENDED["declare"]))
    known = {decode_layout(layout).hash: decode_layout(layout)}
    assert [one.hex() for one in known] == [APPENDED["layout_hash"]]
    found = decode_source(source, known)
    assert found.hash.hex() == APPENDED["source_hash"]
    (block,) = decode_batch(unpack(bytes.fromhex(APPENDED["batch"]))).blocks
    assert block.source == found.hash, "a frame must find the source that its agent declared"
    assert span(block, len(found.layout.series))


def test_a_newer_collector_of_the_same_version_is_understood() -> None:
    for name, kind in FROM_COLLECTOR.items():
        assert isinstance(decode_from_collector(unpack(bytes.fromhex(APPENDED[name]))), kind)
    assert decode_from_collector(unpack(bytes.fromhex(APPENDED["unknown"]))) is None
