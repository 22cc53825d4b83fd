"""A webhook that is really posted to, and rsyslog as Debian ships it: what was done arrives, in order, also after a pause."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pudim_collector.app.runtime import Runtime
from pudim_collector.features.receivers.jobs import Delivery
from pudim_collector.infra.database import database
from pudim_collector.infra.safe_http import Allowed, Outbound
from pudim_collector.kernel.clock import ManualClock, SystemClock
from tests.collector.audit.entries import rows, team
from tests.collector.infra.safe_http_places import asking, name_server
from tests.collector.receivers.test_sending import certificate, tell
from tests.shared.checks.places import Authority

RSYSLOGD = shutil.which("rsyslogd", path="/usr/sbin:/sbin")
needs_rsyslog = pytest.mark.skipif(RSYSLOGD is None, reason="packaging/system-packages installs rsyslog")


@dataclass
class Hook:
    """A web server that keeps what is posted to it; `answers` are the next statuses, then 204."""

    answers: list[int] = field(default_factory=list)
    posted: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(headers["content-length"]))
        status = self.answers.pop(0) if self.answers else 204
        if status < 300:
            lines = [json.loads(line) for line in body.splitlines()]
            self.posted.append((headers["idempotency-key"], lines))
        writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @property
    def names(self) -> list[str]:
        return [one["target_name"] for _, lines in self.posted for one in lines]


@asynccontextmanager
async def hooked(hook: Hook, context: ssl.SSLContext, port: int = 0) -> AsyncIterator[int]:
    server = await asyncio.start_server(hook.accept, "127.0.0.1", port, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def told(runtime: Runtime) -> Runtime:
    await runtime.accounts.ensure_team()
    return runtime


async def add(runtime: Runtime, kind: str, **settings: Any) -> None:
    async with database.transaction():
        await runtime.receivers.add(await team(), "logs", kind, settings)


async def state() -> dict[str, Any]:
    (found,) = await rows("SELECT * FROM audit_receivers")
    return found


async def test_a_webhook_gets_each_entry_in_order_also_what_it_missed(
    told: Runtime, clock: ManualClock, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = authority.made("hooks.test").context
    hook = Hook([503])
    async with name_server({"hooks.test": [["127.0.0.1"]]}) as (_, dns_port):
        outbound = Outbound(
            SystemClock(),
            Allowed.parse("hooks.test"),
            ca_file=tmp_path / "ca.pem",
            resolve=asking(dns_port),
        )
        delivery = Delivery(told.audit, clock, "pudim.test", outbound)
        async with hooked(hook, context) as port:
            await add(told, "webhook", url=f"https://hooks.test:{port}/audit?secret=1")
            await tell(told, "one", "two")
            await delivery.run_once()
            assert hook.posted == []
            assert "503" in (await state())["last_error"]
            clock.advance(timedelta(seconds=10))
            await delivery.run_once()
            assert hook.names == ["logs", "one", "two"]
        await tell(told, *(f"away {number}" for number in range(600)))
        await delivery.run_once()
        assert (await state())["failures"] == 1
        clock.advance(timedelta(minutes=5))
        async with hooked(hook, context, port):
            await delivery.run_once()
    assert hook.names[3:] == [f"away {number}" for number in range(600)]
    sequences = [one["sequence"] for _, lines in hook.posted for one in lines]
    assert sequences == list(range(1, 604))
    assert len({key for key, _ in hook.posted}) == 3
    assert (await state())["failing_since"] is None


@asynccontextmanager
async def rsyslog(folder: Path, kind: str) -> AsyncIterator[tuple[int, Path]]:
    """Rsyslogd on a free port, and the file into which it writes each message as JSON."""
    port, taken = _free_port(), folder / "taken.json"
    tls = f"""global(defaultNetstreamDriverCAFile="{folder}/log-host.pem"
       defaultNetstreamDriverCertFile="{folder}/log-host.pem" defaultNetstreamDriverKeyFile="{folder}/log-host.pem")"""
    stream = 'StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'
    load = {
        "syslog_udp": 'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="%d")',
        "syslog_tcp": 'module(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="%d")',
        "syslog_tls": f'{tls}\nmodule(load="imtcp" {stream})\ninput(type="imtcp" address="127.0.0.1" port="%d")',
    }[kind] % port
    (folder / "rsyslog.conf").write_text(
        f"""global(workDirectory="{folder}" maxMessageSize="32k")
{load}
template(name="each" type="list" option.jsonf="on") {{
  property(outname="app" name="app-name" format="jsonf")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="id" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="said" name="msg" format="jsonf")
}}
action(type="omfile" file="{taken}" template="each")
"""
    )
    assert RSYSLOGD is not None
    started = await asyncio.create_subprocess_exec(
        RSYSLOGD, "-n", "-f", folder / "rsyslog.conf", "-i", folder / "pid",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _until_it_listens(port, udp=kind == "syslog_udp")
        yield port, taken
    finally:
        started.terminate()
        await started.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def _until_it_listens(port: int, *, udp: bool) -> None:
    async with asyncio.timeout(30):
        while not _listens(port, "udp" if udp else "tcp"):
            await asyncio.sleep(0.05)


def _listens(port: int, protocol: str) -> bool:
    return f"0100007F:{port:04X}" in Path("/proc/net", protocol).read_text()


@needs_rsyslog
@pytest.mark.parametrize("kind", ["syslog_tcp", "syslog_udp", "syslog_tls"])
async def test_rsyslog_takes_what_was_done(
    told: Runtime, clock: ManualClock, tmp_path: Path, kind: str
) -> None:
    path = certificate(tmp_path)
    delivery = Delivery(told.audit, clock, "pudim.test", Outbound(clock))
    if kind == "syslog_tls":
        delivery = replace(delivery, tls=ssl.create_default_context(cafile=path))
    names = ['quoted "]\\', "olá", *(f"n{number}" for number in range(40))]
    async with rsyslog(tmp_path, kind) as (port, taken):
        await add(told, kind, host="127.0.0.1", port=port)
        await tell(told, *names)
        await delivery.run_once()
        assert (await state())["failures"] == 0, (await state())["last_error"]
        async with asyncio.timeout(20):
            while not taken.exists() or len(taken.read_text().splitlines()) < len(names) + 1:
                await asyncio.sleep(0.05)
        read = [json.loads(line) for line in taken.read_text().splitlines()]
    assert {(one["app"], one["facility"]) for one in read} == {("pudim", "audit")}
    assert [one["id"] for one in read] == ["receiver.added", *["sender.created"] * len(names)]
    assert [one["said"].rpartition(": ")[2] for one in read[1:]] == names
    assert 'result="done"' in read[1]["data"]
