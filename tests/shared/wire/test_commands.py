"""Mandates, envelopes and reports: the bytes are fixed, only whole and signed ones are read, and each in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire import commands, keys
from pudim.wire.codec import pack, unpack
from pudim.wire.commands import (
    MAX_APPROVALS,
    MAX_ARGS,
    MAX_OUTPUT,
    MAX_REPORT_BYTES,
    Envelope,
    Mandate,
    Report,
    digest_of,
    epoch_of,
    key_id,
    named_key,
)
from pudim.wire.messages import Checks, Command, Notice, Result, Taken, decode_from_collector
from pudim.wire.messages import Mandate as MandateSaid
from pudim.wire.refusals import BadSignature, Malformed, Oversize, Refusal, TooDeep
from tests.shared.wire import wire_strategies as some
from tests.shared.wire.golden_files import AGENT_ID, AGENT_KEY, COLLECTOR_KEY, STRANGER, read

VECTORS = read(1, "commands")
ORDERS = read(1, "orders")
SIGNER = keys.private_from_bytes(bytes.fromhex(VECTORS["signer_seed"]))
NEXT = keys.private_from_bytes(bytes.fromhex(VECTORS["next_signer_seed"]))
ENVELOPES = [bytes.fromhex(one["envelope"]) for one in VECTORS["envelopes"]]
REPORTS = [bytes.fromhex(one["body"]) for one in VECTORS["reports"]]
STATEMENTS = [bytes.fromhex(one["statement"]) for one in VECTORS["mandates"]]
DECODERS: list[tuple[Callable[[bytes], Any], bytes]] = [
    *((Envelope.decode, one) for one in ENVELOPES),
    *((Report.decode, one) for one in REPORTS),
    *((Mandate.decode, one) for one in STATEMENTS),
]
every_document = pytest.mark.parametrize(
    ("decode", "body"), DECODERS, ids=lambda one: getattr(one, "__qualname__", "")
)


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value


# The bytes


@pytest.mark.parametrize("entry", ORDERS, ids=lambda one: one["name"])
def test_messages_around_them(entry: dict[str, Any]) -> None:
    kinds = {"notice": Notice, "result": Result, "checks": Checks, "command": Command, "taken": Taken}
    kind: Any = {**kinds, "mandate": MandateSaid}[entry["name"]]
    message = unpack(bytes.fromhex(entry["body"]))
    said = kind.decode(message) if entry["sender"] == "agent" else decode_from_collector(message)
    assert type(said) is kind
    assert plain(asdict(said)) == entry["reads"]
    assert said.encode().hex() == entry["body"]


def test_names_of_keys_and_enrolments() -> None:
    assert key_id(SIGNER.public_key()).hex() == VECTORS["key_id"]
    assert epoch_of(AGENT_KEY.public_key()).hex() == VECTORS["epoch"]
    assert epoch_of(STRANGER.public_key()).hex() != VECTORS["epoch"]


@pytest.mark.parametrize("entry", VECTORS["mandates"])
def test_mandate(entry: dict[str, Any]) -> None:
    statement, signature = bytes.fromhex(entry["statement"]), bytes.fromhex(entry["signature"])
    commands.verify_mandate(statement, signature, COLLECTOR_KEY.public_key())
    assert commands.sign_mandate(statement, COLLECTOR_KEY) == signature
    mandate = Mandate.decode(statement)
    assert (mandate.serial, keys.public_bytes(mandate.key).hex()) == (entry["serial"], entry["key"])
    assert mandate.encode() == statement
    if entry["succession"]:
        commands.verify_succession(statement, bytes.fromhex(entry["succession"]), SIGNER.public_key())
        assert commands.sign_succession(statement, SIGNER).hex() == entry["succession"]


@pytest.mark.parametrize("entry", VECTORS["envelopes"])
def test_envelope(entry: dict[str, Any]) -> None:
    body, signature = bytes.fromhex(entry["envelope"]), bytes.fromhex(entry["signature"])
    commands.verify_envelope(body, signature, SIGNER.public_key())
    assert commands.sign_envelope(body, SIGNER) == signature
    envelope = Envelope.decode(body)
    assert envelope.encode() == body
    assert named_key(body) == envelope.key_id == key_id(SIGNER.public_key())
    assert (envelope.agent_id, envelope.epoch) == (AGENT_ID, epoch_of(AGENT_KEY.public_key()))


@pytest.mark.parametrize("entry", VECTORS["reports"])
def test_report(entry: dict[str, Any]) -> None:
    body, signature = bytes.fromhex(entry["body"]), bytes.fromhex(entry["signature"])
    commands.verify_report(body, signature, AGENT_KEY.public_key())
    assert commands.sign_report(body, AGENT_KEY) == signature
    assert digest_of(body).hex() == entry["digest"]
    assert Report.decode(body).encode() == body


def test_reports_are_chained() -> None:
    first, second = map(Report.decode, REPORTS)
    assert (first.sequence, first.previous) == (1, commands.NOTHING_BEFORE)
    assert (second.sequence, second.previous) == (2, digest_of(REPORTS[0]))


def test_fields_that_a_newer_end_appends_are_read_past() -> None:
    appended = {name: bytes.fromhex(body) for name, body in VECTORS["appended"].items()}
    assert Envelope.decode(appended["envelope"]) == Envelope.decode(ENVELOPES[0])
    assert named_key(appended["envelope"]) == key_id(SIGNER.public_key())
    assert Report.decode(appended["report"]) == Report.decode(REPORTS[0])
    assert Mandate.decode(appended["mandate"]) == Mandate.decode(STATEMENTS[0])
    longer = pack([*unpack(ENVELOPES[0]), None, None])
    assert named_key(longer) == key_id(SIGNER.public_key())


# Round trips

words = some.names.map(lambda text: text[:40])
plain_values = some.texts | st.binary(max_size=20) | st.booleans() | st.integers(-(2**63), 2**63)
sixteen = st.binary(min_size=16, max_size=16)
envelopes = st.builds(
    Envelope,
    st.binary(min_size=8, max_size=8),
    st.uuids(),
    st.uuids(),
    sixteen,
    sixteen,
    st.integers(1, 2**62),
    some.moments,
    some.moments,
    words,
    st.dictionaries(words, plain_values, max_size=MAX_ARGS),
    some.texts,
    st.lists(words, max_size=MAX_APPROVALS).map(tuple),
    st.none() | st.binary(min_size=32, max_size=32),
)
digests = st.binary(min_size=32, max_size=32)
reports = st.builds(
    Report,
    st.uuids(),
    sixteen,
    st.integers(1, 2**62),
    digests,
    st.none() | st.uuids(),
    digests,
    st.sampled_from(commands.OUTCOMES),
    some.texts,
    some.texts,
    some.texts,
    st.booleans(),
    some.moments,
    some.moments,
    st.integers(0, 2**62),
)


@given(envelopes)
def test_envelopes_come_back(envelope: Envelope) -> None:
    assert Envelope.decode(envelope.encode()) == envelope
    assert named_key(envelope.encode()) == envelope.key_id


@given(reports)
def test_reports_come_back(report: Report) -> None:
    assert Report.decode(report.encode()) == report


# Hostile bytes


@every_document
def test_truncated_at_every_byte(decode: Callable[[bytes], Any], body: bytes) -> None:
    for end in range(len(body)):
        with pytest.raises(Refusal):
            decode(body[:end])


@every_document
def test_every_flipped_bit_breaks_the_signature(decode: Callable[[bytes], Any], body: bytes) -> None:
    for key, domain, verify in (
        (SIGNER, commands.COMMAND_DOMAIN, commands.verify_envelope),
        (AGENT_KEY, commands.RESULT_DOMAIN, commands.verify_report),
        (COLLECTOR_KEY, commands.MANDATE_DOMAIN, commands.verify_mandate),
        (SIGNER, commands.SUCCESSION_DOMAIN, commands.verify_succession),
    ):
        signature = key.sign(domain + body)
        verify(body, signature, key.public_key())
        for bit in range(0, 8 * len(body), 3):
            flipped = bytearray(body)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(BadSignature):
                verify(bytes(flipped), signature, key.public_key())
            damaged = bytearray(signature)
            damaged[bit // 8 % 64] ^= 1 << bit % 8
            with pytest.raises(BadSignature):
                verify(body, bytes(damaged), key.public_key())


@every_document
def test_flipped_bits_are_read_or_refused_by_name(decode: Callable[[bytes], Any], body: bytes) -> None:
    """What is signed by a key gone bad may still be anything."""
    for bit in range(8 * len(body)):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            assert decode(bytes(flipped)).encode()[: len(body)]
        except (Refusal, keys.BadKey):
            continue


@given(st.binary(max_size=400))
def test_random_bytes(body: bytes) -> None:
    named_key(body)
    for decode in (Envelope.decode, Report.decode, Mandate.decode):
        with pytest.raises(Refusal):
            decode(body)


@given(st.lists(some.anything, max_size=17), st.sampled_from([0, 1, 2, -1, True, None, "1"]))
def test_random_values(fields: list[Any], version: Any) -> None:
    for decode in (Envelope.decode, Report.decode):
        with pytest.raises(Refusal):
            decode(pack([version, *fields]))


@pytest.mark.parametrize(
    "domain", [commands.RESULT_DOMAIN, commands.MANDATE_DOMAIN, commands.SUCCESSION_DOMAIN, b""]
)
def test_a_signature_counts_in_its_domain_only(domain: bytes) -> None:
    with pytest.raises(BadSignature):
        commands.verify_envelope(ENVELOPES[0], SIGNER.sign(domain + ENVELOPES[0]), SIGNER.public_key())


def changed(at: int, value: Any) -> bytes:
    message = list(unpack(ENVELOPES[0]))
    message[at] = value
    return pack(message)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (0, 0),
        (0, 2),
        (0, True),
        (0, None),
        (1, b"short"),
        (2, b""),
        (3, bytes(17)),
        (4, bytes(15)),
        (5, "x" * 16),
        (6, 0),
        (6, -1),
        (6, 2**62 + 1),
        (6, 1.0),
        (6, True),
        (7, -1),
        (8, None),
        (9, ""),
        (9, "a\0b"),
        (9, "x" * 257),
        (9, b"refresh"),
        (10, []),
        (10, {"": 1}),
        (10, {"a": None}),
        (10, {"a": 1.5}),
        (10, {"a": [1]}),
        (10, {"a": {"b": 1}}),
        (10, {1: "a"}),
        (10, {str(n): n for n in range(MAX_ARGS + 1)}),
        (11, None),
        (11, "x" * 257),
        (12, "a"),
        (12, [""]),
        (12, [1]),
        (12, ["a"] * (MAX_APPROVALS + 1)),
        (13, b"short"),
        (13, "x" * 32),
    ],
)
def test_an_envelope_of_another_shape(at: int, value: Any) -> None:
    with pytest.raises(Malformed):
        Envelope.decode(changed(at, value))


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (1, b""),
        (3, 0),
        (4, b""),
        (5, b"short"),
        (5, "x" * 16),
        (6, b""),
        (7, "perhaps"),
        (7, b"done"),
        (8, "x" * 257),
        (9, "x" * 1025),
        (10, "x" * (MAX_OUTPUT + 1)),
        (10, "a\0"),
        (11, 1),
        (12, -1),
        (13, None),
        (14, -1),
    ],
)
def test_a_report_of_another_shape(at: int, value: Any) -> None:
    message = list(unpack(REPORTS[0]))
    message[at] = value
    with pytest.raises(Malformed):
        Report.decode(pack(message))


def test_a_field_named_twice() -> None:
    """One end would read the first and another the last."""
    args = b"\x82" + pack("unit") + pack("a.service") + pack("unit") + pack("b.service")
    message = list(unpack(ENVELOPES[0]))
    body = b"\x9e" + b"".join(args if at == 10 else pack(value) for at, value in enumerate(message))
    with pytest.raises(Malformed, match="named twice"):
        Envelope.decode(body)


def test_a_longer_form_of_the_same_number() -> None:
    body = ENVELOPES[0]
    assert body[1] == 1
    with pytest.raises(Malformed):
        Envelope.decode(body[:1] + b"\xcc\x01" + body[2:])


def test_deep_nesting() -> None:
    value: Any = 1
    for _ in range(20):
        value = [value]
    with pytest.raises(TooDeep):
        Envelope.decode(changed(10, {"a": value}))
    with pytest.raises(Refusal):
        Envelope.decode(b"\x91" * 100_000 + b"\x01")


def test_oversize() -> None:
    with pytest.raises(Oversize):
        Report.decode(bytes(MAX_REPORT_BYTES + 1))
    with pytest.raises(Refusal):
        Envelope.decode(msgpack.packb(["x" * (1 << 21)]))


def test_a_mandate_for_a_key_that_proves_nothing() -> None:
    with pytest.raises(keys.BadKey):
        Mandate.decode(pack([1, 1, bytes(32)]))


def test_no_uuid_is_taken_for_another() -> None:
    assert Envelope.decode(ENVELOPES[0]).command_id == UUID("019ab697-e800-7000-8000-000000000001")
