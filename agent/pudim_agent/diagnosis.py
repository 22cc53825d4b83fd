"""What `pudim agent doctor` looks at: each check says what it found and, when it is wrong, what to do.

The checks of the way to the collector build on each other, name by name: the first that fails is the one to mend.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from pudim.checks import Unknown
from pudim.checks.icmp import open_socket
from pudim.deadlines import within
from pudim.vocabulary.errors import PudimError
from pudim.wire.handshake import AgentHandshake
from pudim.wire.refusals import ClockSkew
from pudim_agent import identity as identities
from pudim_agent import pinned, status
from pudim_agent import policy as policies
from pudim_agent.clock import SystemClock
from pudim_agent.config import AgentConfig
from pudim_agent.session import shake_hands
from pudim_agent.stream import AiohttpSocket, tls, websocket_url

_SECONDS = 10.0
_SKEW_SECONDS = 30.0
_EXPIRY_DAYS = 14
_DAY = 86_400
_STALE_MS = 180_000
_SETTLE_MS = 15_000
_RUNTIMES = ("docker.sock", "podman/podman.sock")


class Ailment(Exception):
    """Something is wrong; `fix` says in plain words what to do about it."""

    def __init__(self, said: str, fix: str = "") -> None:
        super().__init__(said)
        self.fix = fix


class NotTried(Exception):
    """A check that another one has to come before."""


@dataclass(frozen=True)
class Finding:
    """`fine` is None for what could not be tried, or is not to be had here and need not be."""

    subject: str
    fine: bool | None
    said: str
    fix: str = ""


@dataclass(frozen=True)
class Patient:
    """The agent that is looked at; tests have another policy and another /run."""

    config: AgentConfig
    policy: Path = policies.DEFAULT_POLICY
    run: Path = Path("/run")

    @property
    def host(self) -> str:
        return urlsplit(self.config.url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.config.url).port or (443 if self.encrypted else 80)

    @property
    def encrypted(self) -> bool:
        return urlsplit(self.config.url).scheme == "https"


Check = Callable[[Patient], Awaitable[str]]


async def findings(patient: Patient) -> list[Finding]:
    """On this host first, then each step of the way to the collector until one fails."""
    found = [await _look(subject, check(patient)) for subject, check in _HERE.items()]
    failed = ""
    for subject, check in _ON_THE_WAY.items():
        if failed:
            found.append(Finding(subject, None, f"not tried, since {failed} failed"))
            continue
        found.append(await _look(subject, check(patient)))
        if found[-1].fine is False and subject != "clock":
            failed = subject
    return found


async def _look(subject: str, check: Awaitable[str]) -> Finding:
    try:
        return Finding(subject, True, await check)
    except NotTried as reason:
        return Finding(subject, None, str(reason))
    except Ailment as ailment:
        return Finding(subject, False, str(ailment), ailment.fix)
    except PudimError as error:
        return Finding(subject, False, error.detail, error.hint)
    except (OSError, ValueError, aiohttp.ClientError, asyncio.TimeoutError) as error:
        return Finding(subject, False, f"{type(error).__name__}: {error}".rstrip(": "))


# This host


async def _identity(patient: Patient) -> str:
    return f"enrolled as {identities.load(patient.config.state_dir).agent_id}"


async def _collector_key(patient: Patient) -> str:
    return pinned.said(pinned.load(patient.config.state_dir, patient.config.collector_key))


async def _state_dir(patient: Patient) -> str:
    path = patient.config.state_dir
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o022:
        raise Ailment(f"{path} may be written by others (mode {mode:04o})", f"chmod 700 {path}")
    probe = path / f".probe.{os.getpid()}"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Ailment(
            f"{path} cannot be written: {error.strerror}", f"Give {path} to the agent's account."
        ) from error
    waiting = sum(one.stat().st_size for one in (path / "spool").glob("*.spool"))
    return f"{path}, {waiting / 2**20:.1f} MiB in the spool"


async def _space(patient: Patient) -> str:
    found = os.statvfs(patient.config.state_dir)
    free, wanted = found.f_bavail * found.f_frsize, patient.config.spool.max_mebibytes << 20
    said = f"{free / 2**30:.1f} GiB free, the spool may take {patient.config.spool.max_mebibytes} MiB"
    if free < wanted:
        raise Ailment(
            said, "Make room, or lower spool.max_mebibytes; what finds no room is lost in an outage."
        )
    return said


async def _policy(patient: Patient) -> str:
    policy = policies.load(patient.policy)
    if policy.refused is not None:
        raise Ailment(f"{policy.refused.code}: {policy.refused.detail}", policy.refused.hint)
    frozen = "; frozen" if policy.frozen else ""
    if not policy.allowed:
        return f"the collector may only watch{frozen}"
    return f"the collector may {', '.join(sorted(policy.allowed))}{frozen}"


async def _ping(_patient: Patient) -> str:
    try:
        open_socket("127.0.0.1").close()
    except Unknown as unknown:
        fix = "Only ping checks miss it: AmbientCapabilities=CAP_NET_RAW in the unit, or net.ipv4.ping_group_range."
        raise NotTried(f"not allowed to this account. {fix}") from unknown
    return "allowed"


async def _containers(patient: Patient) -> str:
    there = [patient.run / name for name in _RUNTIMES if (patient.run / name).exists()]
    if not there:
        raise NotTried("no runtime's socket is here")
    closed = [str(path) for path in there if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        fix = "usermod -aG docker pudim-agent gives names of containers, and as much power as root. Figures come without."
        raise NotTried(f"{', '.join(closed)} is closed to this account. {fix}")
    return f"{', '.join(map(str, there))} answers for names and health"


async def _agent(patient: Patient) -> str:
    said = status.read(patient.config.state_dir)
    now = SystemClock().now().wall_ms
    if said is None or not os.access(f"/proc/{said.pid}", os.F_OK):
        raise NotTried("it does not run now; start it with: systemctl start pudim-agent")
    if now - said.written_at > _STALE_MS:
        raise Ailment("it has not said how it is for minutes", "systemctl restart pudim-agent")
    if not said.connected and now - said.started_at < _SETTLE_MS:
        raise NotTried(f"process {said.pid} has just started; ask again in a moment")
    if not said.connected:
        raise Ailment(
            f"process {said.pid} is not connected; {said.waiting} batches wait", "See what fails below."
        )
    return f"process {said.pid} is connected; {said.waiting} batches wait, {said.lost} were lost"


# The way to the collector


async def _name(patient: Patient) -> str:
    loop = asyncio.get_running_loop()
    try:
        async with within(_SECONDS):
            found = await loop.getaddrinfo(patient.host, patient.port, type=socket.SOCK_STREAM)
    except (OSError, asyncio.TimeoutError) as error:
        fix = "Check `url` for a slip, and /etc/resolv.conf and the name server."
        raise Ailment(f"{patient.host} has no address: {error}", fix) from error
    return f"{patient.host} is {', '.join(dict.fromkeys(str(one[4][0]) for one in found))}"


async def _tcp(patient: Patient) -> str:
    try:
        async with within(_SECONDS):
            _, writer = await asyncio.open_connection(patient.host, patient.port)
    except (OSError, asyncio.TimeoutError) as error:
        fix = f"Is the collector running, and may this host reach port {patient.port} through its firewalls?"
        raise Ailment(f"{patient.host} port {patient.port}: {str(error) or 'no answer'}", fix) from error
    writer.close()
    return f"{patient.host} port {patient.port} answers"


async def _tls(patient: Patient) -> str:
    if not patient.encrypted:
        raise NotTried("the link is not encrypted: url is http://")
    trust = tls(patient.config)
    context = trust if isinstance(trust, ssl.SSLContext) else ssl.create_default_context()
    try:
        async with within(_SECONDS):
            _, writer = await asyncio.open_connection(patient.host, patient.port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        fix = "Renew or correct the certificate, or set ca_file to the authority that issued it. A wrong clock does this too."
        raise Ailment(f"the certificate is not accepted: {error.verify_message}", fix) from error
    except (ssl.SSLError, ConnectionError) as error:
        fix = f"Something else than TLS answers on port {patient.port}: check `url` and the proxy."
        raise Ailment(f"no TLS: {error}", fix) from error
    certificate: Mapping[str, str] = writer.get_extra_info("peercert") or {}
    writer.close()
    return _valid_for(certificate.get("notAfter", ""), SystemClock().now().wall_ms / 1000)


def _valid_for(not_after: str, now: float) -> str:
    """Raises Ailment for a certificate that ends soon."""
    if not not_after:
        return "the certificate is accepted"
    days = (ssl.cert_time_to_seconds(not_after) - now) / _DAY
    if days < _EXPIRY_DAYS:
        raise Ailment(
            f"the certificate ends in {days:.0f} days, on {not_after}", "Renew it on the collector's side."
        )
    return f"the certificate is accepted for {days:.0f} more days"


async def _http(patient: Patient) -> str:
    status_code, _ = await _head(patient)
    if status_code >= 500:  # noqa: PLR2004 - HTTP's server errors
        fix = "Look at the collector's log, and at the proxy before it."
        raise Ailment(f"{patient.config.url} answers {status_code}", fix)
    return f"{patient.config.url} answers {status_code}"


async def _clock(patient: Patient) -> str:
    """By the Date of any answer, good to a second or two."""
    _, said = await _head(patient)
    if not said:
        raise NotTried("the collector's answer has no date to compare with")
    skew = SystemClock().now().wall_ms / 1000 - parsedate_to_datetime(said).timestamp()
    if abs(skew) > _SKEW_SECONDS:
        raise ClockSkew(f"{skew:+.0f} s from the collector's")
    return f"{skew:+.0f} s from the collector's"


async def _head(patient: Patient) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.head(patient.config.url, ssl=tls(patient.config), allow_redirects=False) as response,
    ):
        return response.status, response.headers.get("Date", "")


async def _websocket(patient: Patient) -> str:
    async with aiohttp.ClientSession() as http:
        socket_ = await _dial(http, patient.config)
        await socket_.close()
    return "the collector takes websockets"


async def _handshake(patient: Patient) -> str:
    config = patient.config
    identity = identities.load(config.state_dir)
    pin = pinned.load(config.state_dir, config.collector_key)
    async with aiohttp.ClientSession() as http:
        socket_ = await _dial(http, config)
        try:
            now = SystemClock().now().wall_ms
            handshake = AgentHandshake(identity.agent_id, identity.key, pin, now=now)
            await shake_hands(AiohttpSocket(socket_), handshake, _SECONDS)
        finally:
            await socket_.close()
    return f"{config.url} is the pinned collector and knows this agent"


async def _dial(http: aiohttp.ClientSession, config: AgentConfig) -> aiohttp.ClientWebSocketResponse:
    try:
        async with within(_SECONDS):
            return await http.ws_connect(websocket_url(config.url), ssl=tls(config))
    except aiohttp.WSServerHandshakeError as error:
        fix = "Let the proxy before the collector pass websockets (Upgrade and Connection headers)."
        raise Ailment(f"no websocket: status {error.status}", fix) from error


_HERE: Mapping[str, Check] = {
    "identity": _identity,
    "collector's key": _collector_key,
    "state directory": _state_dir,
    "disk space": _space,
    "policy": _policy,
    "ping": _ping,
    "containers": _containers,
    "agent": _agent,
}
_ON_THE_WAY: Mapping[str, Check] = {
    "name": _name,
    "connection": _tcp,
    "certificate": _tls,
    "http": _http,
    "clock": _clock,
    "websocket": _websocket,
    "collector": _handshake,
}
