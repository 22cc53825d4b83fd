"""The doctor finds what is wrong, names the first step that fails, and says what to do; all of it with real sockets."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pudim_agent.config import AgentConfig
from pudim_agent.diagnosis import Finding, Patient, findings
from tests.agent.fake_collector import FakeCollector
from tests.agent.test_commands import pudim


def patient(config: AgentConfig, tmp_path: Path) -> Patient:
    return Patient(config, run=tmp_path / "run")


async def look(config: AgentConfig, tmp_path: Path) -> dict[str, Finding]:
    return {one.subject: one for one in await findings(patient(config, tmp_path))}


def certificate(folder: Path, days: float, name: str = "localhost") -> Path:
    """A self-signed certificate with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=100))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "tls.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


class Site:
    """A web server that is no collector, over TLS or not."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self._runners: list[web.AppRunner] = []

    async def start(self, pem: Path | None = None) -> int:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        context = None
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def _answer(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status, headers=self.headers)

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    found = Site()
    yield found
    await found.stop()


async def test_all_is_well(collector: FakeCollector, enrolled: AgentConfig, tmp_path: Path) -> None:
    found = await look(enrolled, tmp_path)
    assert {name for name, one in found.items() if one.fine is False} == set()
    assert found["collector"].fine
    assert found["policy"].said == "the collector may only watch"
    assert found["certificate"].said == "the link is not encrypted: url is http://"
    assert found["containers"].said == "no runtime's socket is here"


async def test_a_name_that_is_none(enrolled: AgentConfig, tmp_path: Path) -> None:
    found = await look(replace(enrolled, url="https://pudim.invalid"), tmp_path)
    assert found["name"].fine is False
    assert "resolv.conf" in found["name"].fix
    assert found["collector"] == Finding("collector", None, "not tried, since name failed")


async def test_nobody_listens(enrolled: AgentConfig, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        found = await look(replace(enrolled, url=f"http://127.0.0.1:{taken.getsockname()[1]}"), tmp_path)
    assert found["name"].fine
    assert found["connection"].fine is False
    assert "firewalls" in found["connection"].fix


@pytest.mark.parametrize(
    ("days", "name", "fine", "said"),
    [
        (90, "localhost", True, "accepted for 90 more days"),
        (3, "localhost", False, "ends in 3 days"),
        (-1, "localhost", False, "certificate has expired"),
        (90, "elsewhere.example", False, "not valid for 'localhost'"),
    ],
)
async def test_the_certificate(  # noqa: PLR0917 - fixtures and cases
    site: Site, enrolled: AgentConfig, tmp_path: Path, days: float, name: str, fine: bool, said: str
) -> None:
    pem = certificate(tmp_path, days, name)
    port = await site.start(pem)
    found = await look(replace(enrolled, url=f"https://localhost:{port}", ca_file=pem), tmp_path)
    assert found["certificate"].fine is fine
    assert said in found["certificate"].said


async def test_a_stranger_signed_the_certificate(site: Site, enrolled: AgentConfig, tmp_path: Path) -> None:
    port = await site.start(certificate(tmp_path, 90))
    found = await look(replace(enrolled, url=f"https://localhost:{port}"), tmp_path)
    assert found["certificate"].fine is False
    assert "ca_file" in found["certificate"].fix


async def test_no_tls_where_it_should_be(site: Site, enrolled: AgentConfig, tmp_path: Path) -> None:
    port = await site.start()
    found = await look(replace(enrolled, url=f"https://localhost:{port}"), tmp_path)
    assert "Something else than TLS" in found["certificate"].fix


async def test_a_proxy_with_nothing_behind_it(site: Site, enrolled: AgentConfig, tmp_path: Path) -> None:
    site.status = 502
    port = await site.start()
    found = await look(replace(enrolled, url=f"http://127.0.0.1:{port}"), tmp_path)
    assert "answers 502" in found["http"].said
    assert found["websocket"].said == "not tried, since http failed"


async def test_a_proxy_that_passes_no_websockets(site: Site, enrolled: AgentConfig, tmp_path: Path) -> None:
    port = await site.start()
    found = await look(replace(enrolled, url=f"http://127.0.0.1:{port}"), tmp_path)
    assert found["http"].fine
    assert "Upgrade" in found["websocket"].fix


async def test_a_clock_that_is_wrong_does_not_end_the_looking(
    site: Site, enrolled: AgentConfig, tmp_path: Path
) -> None:
    site.headers = {"Date": "Tue, 01 Jan 2019 00:00:00 GMT"}
    port = await site.start()
    found = await look(replace(enrolled, url=f"http://127.0.0.1:{port}"), tmp_path)
    assert found["clock"].fine is False
    assert found["websocket"].fine is False


async def test_a_spool_that_finds_no_room(enrolled: AgentConfig, tmp_path: Path) -> None:
    roomy = replace(enrolled, spool=replace(enrolled.spool, max_mebibytes=1 << 40))
    assert (await look(roomy, tmp_path))["disk space"].fine is False


async def test_a_policy_that_does_not_count(enrolled: AgentConfig, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").symlink_to("/etc/hosts")
    looked = await findings(replace(patient(enrolled, tmp_path), policy=tmp_path / "policy.toml"))
    (found,) = [one for one in looked if one.subject == "policy"]
    assert found.fine is False
    assert found.fix


async def test_an_agent_that_runs_tells_of_its_link(
    collector: FakeCollector, enrolled: AgentConfig, tmp_path: Path
) -> None:
    assert (await look(enrolled, tmp_path))["agent"].fine is None
    from tests.agent.test_commands import end, start

    process = await start(enrolled)
    try:
        await collector.until(lambda: len(collector.batches) >= 1, 20)
        for _ in range(100):
            if "is connected" in (await look(enrolled, tmp_path))["agent"].said:
                break
            await asyncio.sleep(0.1)
        code, said = await pudim("status", "--json", "--state-dir", str(enrolled.state_dir))
        report = json.loads(said)
        assert (code, report["running"], report["connected"], report["process"]) == (
            0,
            True,
            True,
            process.pid,
        )
        assert report["acknowledged_at"] is not None
    finally:
        await end(process)
    code, said = await pudim("status", "--json", "--state-dir", str(enrolled.state_dir))
    report = json.loads(said)
    assert (code, report["running"], report["connected"]) == (3, False, None)
    assert report["acknowledged_at"] is not None, "it is still known when the collector last took something"


async def test_a_configuration_with_faults_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('url = "x"\ninterval = 3\n')
    code, said = await pudim("doctor", "--json", "--state-dir", str(tmp_path))
    assert code == 1
    (found,) = json.loads(said)
    assert found["subject"] == "configuration"
    assert "line 2: interval: unknown" in found["said"]
