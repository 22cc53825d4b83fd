"""Entries reach their receivers over real sockets, in order, and none is lost while one is away."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.receivers.jobs import Delivery
from pudim_collector.features.senders.events import SenderCreated
from pudim_collector.infra.database import database
from pudim_collector.infra.safe_http import Outbound
from pudim_collector.kernel.clock import ManualClock
from pudim_collector.kernel.ids import new_id
from tests.collector.audit.entries import rows, team

MESSAGE = re.compile(r"<(\d+)>1 (\S+) (\S+) pudim - (\S+) \[audit@32473 (.*)\] \ufeff(.*)", re.DOTALL)


@dataclass
class SyslogServer:
    """Reads messages with octet counting, as RFC 6587 and 5425 frame them."""

    port: int = 0
    messages: list[str] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            length = await reader.read(1)
            while length and not length.endswith(b" "):
                length += await reader.readexactly(1)
            if length:
                self.messages.append((await reader.readexactly(int(length))).decode())
        writer.close()

    @property
    def names(self) -> list[str]:
        """What each message's text ends with: the token's name."""
        return [message.rpartition(": ")[2] for message in self.messages]


@asynccontextmanager
async def listening(port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[SyslogServer]:
    known = SyslogServer()
    server = await asyncio.start_server(known.accept, "127.0.0.1", port, ssl=tls)
    known.port = server.sockets[0].getsockname()[1]
    async with server:
        yield known


@pytest.fixture
async def told(runtime: Runtime) -> Runtime:
    await runtime.accounts.ensure_team()
    return runtime


@pytest.fixture
def delivery(runtime: Runtime, clock: ManualClock) -> Delivery:
    return Delivery(runtime.audit, clock, "pudim.test", Outbound(clock))


async def tell(runtime: Runtime, *names: str) -> None:
    for name in names:
        async with database.transaction():
            runtime.trail.emit(SenderCreated(new_id(), name))


async def add(runtime: Runtime, kind: str, port: int, **settings: Any) -> UUID:
    host = settings or {"host": "127.0.0.1", "port": port}
    async with database.transaction():
        return (await runtime.receivers.add(await team(), "log host", kind, host)).id


async def state(receiver: UUID) -> dict[str, Any]:
    (found,) = await rows("SELECT * FROM audit_receivers WHERE id = $1", receiver)
    return found


async def test_a_message_is_one_of_rfc_5424(told: Runtime, delivery: Delivery) -> None:
    async with listening() as server:
        await add(told, "syslog_tcp", server.port)
        await tell(told, 'a "quoted] na\\me\nand more')
        await delivery.run_once()
    added, created = (MESSAGE.fullmatch(one) for one in server.messages)
    assert added
    assert created
    assert created[1] == str(13 * 8 + 6)
    assert datetime.fromisoformat(created[2]).tzinfo is not None
    assert (created[3], created[4]) == ("pudim.test", "sender.created")
    assert r'target_name="a \"quoted\] na\\me and more"' in created[5]
    assert added[4] == "receiver.added"


async def test_a_dead_receiver_misses_nothing_and_is_tried_less_and_less(
    told: Runtime, delivery: Delivery, clock: ManualClock
) -> None:
    async with listening() as server:
        receiver = await add(told, "syslog_tcp", server.port)
        await tell(told, "before")
        await delivery.run_once()
        port = server.port
    await tell(told, "while away 1", "while away 2")
    await delivery.run_once()
    first = await state(receiver)
    assert first["failures"] == 1
    assert first["failing_since"] is not None
    assert first["last_error"]
    await delivery.run_once()
    assert (await state(receiver))["failures"] == 1
    clock.advance(timedelta(seconds=6))
    await delivery.run_once()
    assert (await state(receiver))["failures"] == 2
    clock.advance(timedelta(minutes=6))
    async with listening(port) as server:
        # Another process, which knows only what the database does.
        await Delivery(told.audit, clock, "pudim.test", Outbound(clock)).run_once()
    assert server.names == ["while away 1", "while away 2"]
    after = await state(receiver)
    assert (after["failures"], after["failing_since"], after["last_error"]) == (0, None, None)


async def test_a_receiver_that_hangs_up_in_the_middle_gets_all_of_it_again(
    told: Runtime, delivery: Delivery, clock: ManualClock
) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver = await add(told, "syslog_tcp", port)
    await tell(told, *(f"n{number}" for number in range(200)))
    async with server:
        await delivery.run_once()
    assert (await state(receiver))["failures"] == 1
    clock.advance(60)
    async with listening(port) as good:
        await delivery.run_once()
    assert good.names[1:] == [f"n{number}" for number in range(200)]


async def test_more_than_a_batch_arrives_in_order(told: Runtime, delivery: Delivery) -> None:
    names = [f"n{number}" for number in range(1_100)]
    async with listening() as server:
        await add(told, "syslog_tcp", server.port)
        async with database.transaction():
            for name in names:
                told.trail.emit(SenderCreated(new_id(), name))
        await delivery.run_once()
    assert server.names[1:] == names


async def test_datagrams_carry_one_message_each(told: Runtime, delivery: Delivery) -> None:
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[bytes] = asyncio.Queue()

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            received.put_nowait(data)

    transport, _ = await loop.create_datagram_endpoint(Listener, local_addr=("127.0.0.1", 0))
    await add(told, "syslog_udp", transport.get_extra_info("sockname")[1])
    await tell(told, "one", "two")
    await delivery.run_once()
    async with asyncio.timeout(10):
        found = [(await received.get()).decode() for _ in range(3)]
    transport.close()
    assert [bool(MESSAGE.fullmatch(one)) for one in found] == [True] * 3


def certificate(folder: Path) -> Path:
    """Of a log host on this machine, with its key, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "log host")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "log-host.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


async def test_tls_is_checked_before_anything_is_sent(
    told: Runtime, delivery: Delivery, clock: ManualClock, tmp_path: Path
) -> None:
    path = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    async with listening(tls=context) as server:
        receiver = await add(told, "syslog_tls", server.port)
        await tell(told, "secret")
        await delivery.run_once()
        assert server.messages == []
        assert "CERTIFICATE_VERIFY_FAILED" in (await state(receiver))["last_error"]
        clock.advance(60)
        await replace(delivery, tls=ssl.create_default_context(cafile=path)).run_once()
        async with asyncio.timeout(10):
            while len(server.messages) < 2:
                await asyncio.sleep(0.01)
    assert server.names[1:] == ["secret"]


async def test_a_webhook_inside_is_not_posted_to(told: Runtime, delivery: Delivery) -> None:
    receiver = await add(told, "webhook", 0, url="https://127.0.0.1:1/hook")
    await tell(told, "x")
    await delivery.run_once()
    found = await state(receiver)
    assert found["failures"] == 1
    assert "127.0.0.1" not in found["last_error"]
