"""Reads the committed byte vectors, so that every test of the link starts from the same fixed keys."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from pudim.wire import keys
from pudim.wire.batches import Block, block
from pudim.wire.handshake import AgentHandshake, CollectorHandshake, Ephemeral, SessionKeys

GOLDEN = Path(__file__).parent / "golden"


def read(version: int, name: str) -> Any:
    return json.loads((GOLDEN / str(version) / f"{name}.json").read_text())


HANDSHAKE = read(1, "handshake")
AGENT_ID = UUID(HANDSHAKE["agent_id"])
AGENT_KEY = keys.private_from_bytes(bytes.fromhex(HANDSHAKE["agent_seed"]))
COLLECTOR_KEY = keys.private_from_bytes(bytes.fromhex(HANDSHAKE["collector_seed"]))
STRANGER = keys.private_from_bytes(b"\x77" * 32)
SESSION = SessionKeys(
    HANDSHAKE["session"]["version"],
    bytes.fromhex(HANDSHAKE["session"]["to_collector"]),
    bytes.fromhex(HANDSHAKE["session"]["to_agent"]),
)


def ephemeral(end: str) -> Ephemeral:
    share = bytes.fromhex(HANDSHAKE[f"{end}_ephemeral"])
    return Ephemeral(X25519PrivateKey.from_private_bytes(share), bytes.fromhex(HANDSHAKE[f"{end}_nonce"]))


def agent_end() -> AgentHandshake:
    return AgentHandshake(AGENT_ID, AGENT_KEY, COLLECTOR_KEY.public_key(), ephemeral=ephemeral("agent"))


def collector_end(hello: bytes) -> CollectorHandshake:
    return CollectorHandshake(hello, COLLECTOR_KEY, ephemeral=ephemeral("collector"))


def block_of(entry: dict[str, Any]) -> Block:
    rows = [[math.nan if value is None else value for value in row] for row in entry["rows"]]
    return block(bytes.fromhex(entry["source"]), entry["times"], rows)
