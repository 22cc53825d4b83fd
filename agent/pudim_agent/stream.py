"""Keeps a connection to the collector: dials, waits longer after each failure, and says once what is wrong."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from pudim.deadlines import within
from pudim.vocabulary.errors import PudimError
from pudim.wire.codec import MAX_MESSAGE_BYTES
from pudim.wire.enrolment import STREAM_PATH
from pudim.wire.handshake import AgentHandshake
from pudim.wire.refusals import BY_CODE, Malformed, Oversize, Refusal, Superseded, TooDeep
from pudim_agent.backoff import Backoff
from pudim_agent.clock import Clock
from pudim_agent.config import AgentConfig
from pudim_agent.identity import Identity
from pudim_agent.notices import Notices
from pudim_agent.pinned import Pinned
from pudim_agent.session import Orders, Results, Session, shake_hands
from pudim_agent.spool import Spool

_log = logging.getLogger(__name__)
_FAILURES = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError, OSError, PudimError)
_UNREADABLE = (Malformed, Oversize, TooDeep)
_PROOF = 3  # sessions in a row that end by the same batch
_HEARTBEAT = 60.0


class Pace(NamedTuple):
    """Seconds: between attempts from `low` doubling to `high`, after a lasting refusal `refused`."""

    low: float = 1.0
    high: float = 60.0
    refused: float = 300.0
    dial: float = 15.0


class ClosedByCollector(ConnectionError):
    """The collector ended the connection."""


class AiohttpSocket:
    """A session's Socket over aiohttp's websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, message: bytes) -> None:
        await self._socket.send_bytes(message)

    async def receive(self, patience: float) -> bytes:
        message = await self._socket.receive(patience)
        if message.type is aiohttp.WSMsgType.BINARY:
            content: bytes = message.data
            return content
        reason = message.extra if message.type is aiohttp.WSMsgType.CLOSE else None
        if reason in BY_CODE:
            raise BY_CODE[reason]
        raise ClosedByCollector(f"closed: {reason or self._socket.close_code or message.type.name}")


class Stream:
    def __init__(
        self,
        config: AgentConfig,
        identity: Identity,
        spool: Spool,
        *,
        clock: Clock,
        orders: Orders,
        notices: Notices,
        facts: Mapping[str, str],
        pinned: Pinned,
        pace: Pace | None = None,
        results: Results | None = None,
    ) -> None:
        self._results = results
        self._pinned = pinned
        self._config, self._identity, self._spool = config, identity, spool
        self._clock, self._orders, self._notices, self._facts = clock, orders, notices, facts
        self._pace = pace or Pace()
        self._backoff = Backoff(self._pace.low, self._pace.high)
        self._tls = tls(config)
        self._session: Session | None = None
        self._said = ""
        self._suspected: tuple[bytes, int] | None = None
        self._convictions = 0

    @property
    def connected(self) -> bool:
        """Whether both ends have proved who they are."""
        return self._session is not None

    @property
    def acknowledged_at(self) -> int | None:
        """When the collector last took something over this connection, in Unix milliseconds."""
        return None if self._session is None else self._session.acknowledged_at

    def wake(self) -> None:
        """The spool holds something new."""
        if self._session is not None:
            self._session.wake()

    async def run(self) -> None:
        """For ever: only cancelling ends it."""
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            while True:
                await self._attempt(http)

    async def _attempt(self, http: aiohttp.ClientSession) -> None:
        """One connection from dialling to its end, and the wait after it."""
        try:
            await self._converse(http)
        except _FAILURES as failure:
            await asyncio.sleep(self._wait_after(failure))

    async def _converse(self, http: aiohttp.ClientSession) -> None:
        async with within(self._pace.dial):
            socket = await http.ws_connect(
                websocket_url(self._config.url),
                heartbeat=_HEARTBEAT,
                max_msg_size=MAX_MESSAGE_BYTES,
                ssl=self._tls,
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            )
        try:
            await self._talk(AiohttpSocket(socket))
        finally:
            self._session = None
            self._orders.set_interval(None)
            await socket.close()

    async def _talk(self, socket: AiohttpSocket) -> None:
        pinned = self._pinned
        handshake = AgentHandshake(self._identity.agent_id, self._identity.key, pinned.pin, now=pinned.now_ms)
        channel = await shake_hands(socket, handshake, self._pace.dial)
        pinned.follow(handshake.pin)
        session = Session(
            socket,
            channel,
            self._spool,
            clock=self._clock,
            orders=self._orders,
            notices=self._notices,
            results=self._results,
        )
        self._session = session
        self._say("", "connected to %s", self._config.url)
        try:
            await session.run(self._config.interval_ms, self._facts)
        except Superseded:  # perhaps two agents share this identity: they must not take turns each second
            raise
        except _FAILURES as failure:
            if session.progressed:
                self._backoff.reset()
            self._suspect(session, failure)
            raise

    def _suspect(self, session: Session, failure: BaseException) -> None:
        """Give up a batch that the collector cannot read: sent again for ever, it would hold up all others."""
        oldest = session.oldest_unanswered
        if session.progressed or oldest is None or not isinstance(failure, _UNREADABLE):
            self._suspected, self._convictions = None, 0
            return
        self._convictions = self._convictions + 1 if oldest == self._suspected else 1
        self._suspected = oldest
        if self._convictions >= _PROOF:
            _log.warning(
                "gave up batch %d, which the collector cannot read (%s)", oldest[1], type(failure).code
            )
            self._spool.give_up(*oldest)
            self._suspected, self._convictions = None, 0

    def _wait_after(self, failure: BaseException) -> float:
        if isinstance(failure, Refusal):
            hint = f" {failure.hint}" if failure.hint else ""
            self._say(failure.code, "refused (%s): %s%s", failure.code, failure.detail, hint)
            if not failure.retry:
                return self._backoff.jitter(self._pace.refused)
        else:
            name = type(failure).__name__
            self._say(name, "no connection to %s: %s: %s", self._config.url, name, failure)
        return self._backoff.next()

    def _say(self, state: str, message: str, *words: object) -> None:
        """Log a change of state, not each attempt."""
        if state != self._said or not state:
            self._said = state
            _log.log(logging.WARNING if state else logging.INFO, message, *words)


def websocket_url(url: str) -> str:
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + STREAM_PATH, "", ""))


def tls(config: AgentConfig) -> ssl.SSLContext | bool:
    """How to verify the collector's certificate; there is no way to leave that out."""
    return ssl.create_default_context(cafile=config.ca_file) if config.ca_file else True
