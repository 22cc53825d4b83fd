"""One connection to the collector: proves both ends, sends what the spool holds, and takes the answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from pudim import __version__
from pudim.vocabulary.errors import PudimError
from pudim.wire import messages
from pudim.wire.batches import encode_batch
from pudim.wire.channel import Channel
from pudim.wire.codec import unpack
from pudim.wire.handshake import AgentHandshake
from pudim.wire.layouts import encode_declaration
from pudim.wire.messages import (
    Ack,
    Checks,
    Command,
    Configure,
    FromCollector,
    Mandate,
    Refuse,
    SlowDown,
    Successor,
    Taken,
    decode_from_collector,
)
from pudim.wire.refusals import BY_CODE, Refusal, SequenceGap
from pudim_agent.clock import Clock
from pudim_agent.notices import Notices
from pudim_agent.records import DamagedRecord
from pudim_agent.spool import Entry, Spool

_WINDOW = 64
_ANSWER_SECONDS = 60.0
_LONGEST_DELAY = 60.0
_RETRY_SECONDS = 5.0
_MOST_GAPS = 4 * _WINDOW


class Unanswered(PudimError):
    """The collector acknowledged nothing for a minute."""

    code = "unanswered"
    retry = True


class Unintelligible(PudimError):
    """The collector said what no collector says. That is no word on any batch."""

    code = "unintelligible"
    retry = True


class PassingRefusal(Refusal):
    """A newer collector said no by a name that this agent does not know, and that it may say yes later."""

    retry = True


class Socket(Protocol):
    """A message-wise connection. Both raise ConnectionError when it is gone; `receive` a Refusal if told why."""

    async def send(self, message: bytes) -> None: ...

    async def receive(self, patience: float) -> bytes:
        """Raises asyncio.TimeoutError after `patience` seconds without a message."""
        ...


class Orders(Protocol):
    """What a collector may ask for; each returns at once."""

    def set_interval(self, interval_ms: int | None) -> None:
        """None means the agent's own setting."""
        ...

    def set_checks(self, checks: Checks) -> None: ...

    def command(self, command: Command) -> None: ...

    def taken(self, taken: Taken) -> None: ...

    def mandate(self, mandate: Mandate) -> None: ...

    def successor(self, successor: Successor) -> None: ...


class Results(Protocol):
    """What became of commands, kept until the collector has it."""

    def since(self, sequence: int) -> Iterable[tuple[int, bytes]]:
        """Messages that came after the one of that number, oldest first."""
        ...

    async def answered(self) -> None:
        """Wait until there may be another one."""
        ...


class _Sent(NamedTuple):
    boot_id: bytes
    seq: int
    at: float


async def shake_hands(socket: Socket, handshake: AgentHandshake, patience: float) -> Channel:
    """Raises a Refusal when the collector is not the pinned one or says no."""
    await socket.send(handshake.hello())
    proof, keys = handshake.prove(await socket.receive(patience))
    await socket.send(proof)
    return Channel.of_agent(keys)


class Session:
    """`progressed` says whether the collector acknowledged anything."""

    def __init__(
        self,
        socket: Socket,
        channel: Channel,
        spool: Spool,
        *,
        clock: Clock,
        orders: Orders,
        notices: Notices,
        results: Results | None = None,
    ) -> None:
        self._results = results
        self._socket, self._channel, self._spool = socket, channel, spool
        self._clock, self._orders, self._notices = clock, orders, notices
        self._work = asyncio.Event()
        self._declared: set[bytes] = set()
        self._sent: deque[_Sent] = deque()
        self._again = False
        self._gaps = 0
        self._hold_until = 0.0
        self._waking: asyncio.TimerHandle | None = None
        self.progressed = False
        self.acknowledged_at: int | None = None

    @property
    def oldest_unanswered(self) -> tuple[bytes, int] | None:
        """Boot and sequence number of the batch that was sent first and is not answered."""
        return (self._sent[0].boot_id, self._sent[0].seq) if self._sent else None

    def wake(self) -> None:
        """The spool holds something new."""
        self._work.set()

    async def run(self, interval: int, facts: Mapping[str, str]) -> None:
        """Until the connection is gone (ConnectionError) or one end says no (a PudimError)."""
        opening = messages.Opening(self._wall_ms(), __version__, self._spool.boot_id, interval, dict(facts))
        await self._send(opening.encode())
        self._spool.rewind()
        self._work.set()
        parts = [
            asyncio.ensure_future(part)
            for part in (
                self._send_batches(),
                self._send_notices(),
                self._send_results(),
                self._take_answers(),
            )
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            if self._waking is not None:
                self._waking.cancel()
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    # Sending

    async def _send_batches(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while not self._is_held() and (entry := self._spool.read()) is not None:
                await self._send_batch(entry)

    def _is_held(self) -> bool:
        loop = asyncio.get_running_loop()
        if (rest := self._hold_until - loop.time()) > 0:
            if self._waking is None:  # one timer, however often something happens meanwhile
                self._waking = loop.call_later(rest, self._wake_up)
            return True
        return self._again or len(self._sent) >= _WINDOW

    def _wake_up(self) -> None:
        self._waking = None
        self._work.set()

    async def _send_batch(self, entry: Entry) -> None:
        try:
            sources = entry.declarations(self._declared)
        except (OSError, DamagedRecord):
            self._spool.give_up(entry.boot_id, entry.seq)
            self._send_again()
            return
        if sources:
            await self._send(messages.encode_declare(*encode_declaration(sources)))
            self._declared.update(entry.sources)
        self._sent.append(_Sent(entry.boot_id, entry.seq, self._clock.now().monotonic))
        await self._send(encode_batch(entry.boot_id, entry.seq, entry.skipped, self._wall_ms(), entry.blocks))

    async def _send_notices(self) -> None:
        told = 0
        while True:
            for number, message in list(self._notices.since(told)):
                await self._send(message)
                told = number
            await self._notices.changed()

    async def _send_results(self) -> None:
        sent = 0
        while self._results is not None:
            for sequence, message in list(self._results.since(sent)):
                await self._send(message)
                sent = sequence
            await self._results.answered()
        await asyncio.Event().wait()  # whoever ends first ends the session

    async def _send(self, body: bytes) -> None:
        await self._socket.send(self._channel.seal(body))

    def _wall_ms(self) -> int:
        return self._clock.now().wall_ms

    # Answers

    async def _take_answers(self) -> None:
        while True:
            try:
                message = await self._socket.receive(_ANSWER_SECONDS)
            except asyncio.TimeoutError:
                self._check_patience()
                continue
            self._take(self._understood(message))
            self._check_patience()

    def _understood(self, message: bytes) -> FromCollector | None:
        try:
            return decode_from_collector(unpack(self._channel.open(message)))
        except Refusal as fault:
            raise Unintelligible(f"{fault.code}: {fault.detail}") from fault

    def _check_patience(self) -> None:
        held = asyncio.get_running_loop().time() < self._hold_until
        if self._sent and not held and self._clock.now().monotonic - self._sent[0].at > _ANSWER_SECONDS:
            raise Unanswered

    def _take(self, answer: FromCollector | None) -> None:
        match answer:
            case Ack(boot_id, seq):
                self._acknowledged(boot_id, seq)
            case Refuse(boot_id=bytes(boot_id), seq=int(seq)):
                self._refused(answer, boot_id, seq)
            case Refuse(code, detail, retry):
                raise BY_CODE.get(code, PassingRefusal if retry else Refusal)(detail)
            case Configure(interval):
                self._orders.set_interval(min(max(interval, 100), 3_600_000) if interval else None)
            case SlowDown(delay):
                self._hold(delay / 1000)
            case None:
                pass
            case order:
                self._obey(order)

    def _obey(self, order: Checks | Command | Taken | Mandate | Successor) -> None:
        match order:
            case Checks():
                self._orders.set_checks(order)
            case Command():
                self._orders.command(order)
            case Taken():
                self._orders.taken(order)
            case Mandate():
                self._orders.mandate(order)
            case Successor():
                self._orders.successor(order)

    def _acknowledged(self, boot_id: bytes, seq: int) -> None:
        if self._spool.acknowledge(boot_id, seq):
            self.progressed, self._gaps = True, 0
            self.acknowledged_at = self._wall_ms()
        self._sent = deque(one for one in self._sent if one.boot_id != boot_id or one.seq > seq)
        self._settle()

    def _refused(self, refusal: Refuse, boot_id: bytes, seq: int) -> None:
        """A batch that is never taken is given up; in either case all that is not acknowledged is sent again,
        once everything in flight is answered, for the batches behind a refused one are refused with it.
        """
        self._sent = deque(one for one in self._sent if (one.boot_id, one.seq) != (boot_id, seq))
        if not refusal.retry:
            self._spool.give_up(boot_id, seq)
        elif refusal.code == SequenceGap.code and refusal.expected is not None:
            self._gaps += 1
            if self._gaps > _MOST_GAPS:
                raise SequenceGap(refusal.detail)
            self._spool.expect(boot_id, refusal.expected)
        else:
            self._hold(_RETRY_SECONDS)
        self._send_again()

    def _send_again(self) -> None:
        self._again = True
        self._settle()

    def _settle(self) -> None:
        if self._again and not self._sent:
            self._again = False
            self._spool.rewind()
        self._work.set()

    def _hold(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._hold_until = max(self._hold_until, now + min(seconds, _LONGEST_DELAY))
