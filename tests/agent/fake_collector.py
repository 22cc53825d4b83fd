"""A small collector that speaks the real wire: it keeps what it was told, and can be told to misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from aiohttp import WSMsgType, web

from pudim.wire import messages
from pudim.wire.batches import Batch, decode_batch
from pudim.wire.channel import Channel
from pudim.wire.codec import unpack
from pudim.wire.enrolment import ENROL_PATH, STREAM_PATH, sign_answer, verify_request
from pudim.wire.handshake import CollectorHandshake
from pudim.wire.keys import from_text, generate, public_bytes, public_from_bytes, to_text
from pudim.wire.layouts import Layout, Source, decode_layout, decode_source
from pudim.wire.messages import Ack, Configure, Notice, Opening, Refuse, Result
from pudim.wire.refusals import EnrolmentTokenUsed, Refusal, UnknownAgent

Verdict = Refusal | None


@dataclass
class FakeCollector:
    """`judge` may refuse a batch; `acknowledging` False keeps every batch unanswered; `signing` forges answers."""

    key: Any = field(default_factory=generate)
    signing: Any = None
    links: list[bytes] = field(default_factory=list)
    agents: dict[UUID, Any] = field(default_factory=dict)
    judge: Callable[[Batch], Verdict] = lambda _batch: None
    acknowledging: bool = True
    interval: int | None = None
    refuse_session: Refusal | None = None
    orders: list[bytes] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    sources: dict[bytes, Source] = field(default_factory=dict)
    accepted: dict[bytes, int] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    @property
    def public_key(self) -> str:
        return to_text(public_bytes(self.key))

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.add_routes([web.get(STREAM_PATH, self._stream), web.post(ENROL_PATH, self._enrol)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    async def stop(self) -> None:
        await self.disconnect()
        if self._runner is not None:
            await self._runner.cleanup()

    async def disconnect(self) -> None:
        for socket in self.sockets:
            await socket.close()
        self.sockets.clear()

    async def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        async def wait() -> None:
            while not condition():
                await asyncio.sleep(0.005)

        await asyncio.wait_for(wait(), seconds)

    async def _enrol(self, request: web.Request) -> web.Response:
        said = await request.json()
        if said["token"] not in self.tokens:
            refusal = EnrolmentTokenUsed()
            return web.json_response({"code": refusal.code, "detail": refusal.detail}, status=409)
        self.tokens.remove(said["token"])
        public = public_from_bytes(from_text(said["public_key"]))
        try:
            verify_request(said["token"], public, self.key.public_key(), from_text(said["proof"], 64))
        except Refusal as refusal:
            return web.json_response({"code": refusal.code, "detail": refusal.detail}, status=refusal.status)
        agent_id = uuid4()
        self.agents[agent_id] = public
        signature = to_text(sign_answer(said["token"], public, agent_id, self.signing or self.key))
        return web.json_response({"agent_id": str(agent_id), "signature": signature})

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        self.sockets.append(socket)
        try:
            channel = await self._greet(socket)
        except Refusal as refusal:
            await socket.close(code=4000 + refusal.status, message=refusal.code.encode())
            return socket
        await self._converse(socket, channel)
        return socket

    async def _greet(self, socket: web.WebSocketResponse) -> Channel:
        handshake = CollectorHandshake(await socket.receive_bytes(), self.key, links=self.links)
        if handshake.agent_id not in self.agents:
            raise UnknownAgent
        await socket.send_bytes(handshake.welcome)
        proof = await socket.receive_bytes()
        return Channel.of_collector(handshake.finish(proof, self.agents[handshake.agent_id]))

    async def _converse(  # noqa: C901 - one branch a kind of message
        self, socket: web.WebSocketResponse, channel: Channel
    ) -> None:
        layouts: dict[bytes, Layout] = {}
        declared: dict[bytes, Source] = {}

        async def say(body: bytes) -> None:
            await socket.send_bytes(channel.seal(body))

        if self.interval is not None:
            await say(Configure(self.interval).encode())
        async for message in socket:
            if message.type is not WSMsgType.BINARY:
                break
            said = unpack(channel.open(message.data))
            if said[0] == messages.OPENING:
                self.openings.append(Opening.decode(said))
                await self._answer_opening(say)
            elif said[0] == messages.DECLARE:
                for one in map(decode_layout, said[1]):
                    layouts[one.hash] = one
                for source in said[2]:
                    found = decode_source(source, layouts)
                    declared[found.hash] = self.sources[found.hash] = found
            elif said[0] == messages.NOTICE:
                self.notices.append(Notice.decode(said))
            elif said[0] == messages.RESULT:
                self.results.append(Result.decode(said))
            else:
                batch = decode_batch(said)
                assert all(block.source in declared for block in batch.blocks)
                await self._take(batch, say)

    async def _answer_opening(self, say: Callable[[bytes], Any]) -> None:
        if self.refuse_session:
            no = self.refuse_session
            await say(Refuse(no.code, no.detail, no.retry).encode())
        for order in self.orders:
            await say(order)

    async def _take(self, batch: Batch, say: Callable[[bytes], Any]) -> None:
        done = self.accepted.get(batch.boot_id, 0)
        if batch.seq <= done:
            if self.acknowledging:
                await say(Ack(batch.boot_id, done).encode())
            return
        if batch.seq != done + 1 + batch.skipped:
            no = Refuse("sequence_gap", "", True, batch.boot_id, batch.seq, done + 1)
            await say(no.encode())
            return
        if verdict := self.judge(batch):
            about = (None, None, None) if verdict.ends_session else (batch.boot_id, batch.seq, done + 1)
            await say(Refuse(verdict.code, "", verdict.retry, *about).encode())
            return
        self.accepted[batch.boot_id] = batch.seq
        self.batches.append(batch)
        if self.acknowledging:
            await say(Ack(batch.boot_id, batch.seq).encode())


async def _serve() -> None:
    """By hand: python -m tests.agent.fake_collector prints its URL, key and a token, and counts batches."""
    collector = FakeCollector(tokens={"token"})
    await collector.start()
    print(collector.url, collector.public_key, flush=True)
    while True:
        await asyncio.sleep(10)


if __name__ == "__main__":
    asyncio.run(_serve())
