"""Asks a name server for records, itself and not through the system, and compares what comes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from pudim.checks import Down, Figure, NotUp, Outcome, Status, Surroundings, Unknown, checks, setting
from pudim.checks.addresses import plain
from pudim.checks.connecting import ascii_name, failed, is_name
from pudim.checks.dns_codec import MOST_BYTES, TYPES, Answer, BadMessage, decode_answer, encode_question
from pudim.deadlines import within

COUNT = Figure("pudim.check.answer.count")
MOST_RESOLVERS = 3
_TRIES = 2
_PORT = 53


@dataclass(frozen=True)
class DnsConfig:
    name: str = setting("Name", "What is asked for.", required=True, longest=253)
    type: str = setting("Type", "Of the records.", "A", choices=tuple(TYPES))
    expected: tuple[str, ...] = setting(
        "Expected",
        "Values that must be among the answers, one a line; none: any answer is fine.",
        (),
        longest=512,
        lines=True,
    )
    exact: bool = setting("Nothing else", "Down when there are other answers too.", default=False)
    resolver: str = setting("Name server", "Its address; empty: the system's.", "", longest=64)
    port: int = setting("Port", "Of the name server.", _PORT, low=1, high=65_535)


@checks.register("dns")
class Dns:
    Config = DnsConfig
    title = "DNS"
    help = "Asks a name server for records and compares the answers."
    figures = (COUNT,)
    silence = Status.DOWN

    def __init__(self, config: DnsConfig) -> None:
        self._config = config

    @staticmethod
    def faults(config: DnsConfig) -> Iterable[tuple[str, str]]:
        if not is_name(config.name):
            yield "name", "must be a name that can be asked for"
        if config.resolver and plain(config.resolver) is None:
            yield "resolver", "must be an address"

    async def run(self, around: Surroundings, timeout: float) -> Outcome:
        started = around.timer()
        resolvers = self._resolvers(around)
        failure: NotUp = Down("timeout", "no name server answers")
        for resolver in resolvers:
            try:
                async with within(timeout / len(resolvers)):
                    answer = await self._ask(resolver, timeout)
                return self._judge(answer, around.timer() - started)
            except asyncio.TimeoutError:  # noqa: PERF203 - each server may fail by itself
                failure = Down("timeout", f"the name server {resolver} does not answer")
            except OSError as error:
                failure = failed(error, f"the name server {resolver}")
        raise failure

    def _resolvers(self, around: Surroundings) -> list[str]:
        """The system's are not asked about: whoever set this machine up has chosen them."""
        wanted = self._config.resolver
        if not wanted:
            return system_resolvers(around.resolv_conf)
        if why := around.guard.refusal(wanted):
            raise Unknown("address_refused", f"the name server {wanted} may not be asked: {why}")
        return [wanted]

    async def _ask(self, resolver: str, timeout: float) -> Answer:
        name, kind = ascii_name(self._config.name), TYPES[self._config.type]
        number = secrets.randbelow(1 << 16)
        question = encode_question(number, name, kind)
        answer = await _by_udp(resolver, self._config.port, question, (number, name, kind), timeout)
        if not answer.is_cut:
            return answer
        message = await _by_tcp(resolver, self._config.port, question)
        try:
            return decode_answer(message, number, name, kind)
        except BadMessage as error:
            raise Down("malformed", f"the name server's answer: {error}") from error

    def _judge(self, answer: Answer, took: float) -> Outcome:
        config = self._config
        found = sorted({one.text for one in answer.records if one.type == TYPES[config.type]})
        figures = {COUNT: float(len(found))}
        if answer.code != "noerror":
            raise Down(answer.code.replace(" ", "_"), f"the name server answers {answer.code}", figures)
        if not found:
            raise Down("no_answer", f"there is no {config.type} record", figures)
        have, wanted = ({_compared(one) for one in texts} for texts in (found, config.expected))
        words = ", ".join(found)
        if wanted - have:
            raise Down("answer_missing", f"{', '.join(sorted(wanted - have))} is missing in {words}", figures)
        if config.exact and have - wanted:
            raise Down("answer_unexpected", f"{', '.join(sorted(have - wanted))} is not expected", figures)
        return Outcome(Status.UP, took, words, figures=figures)


def _compared(text: str) -> str:
    """Names do not tell case or a last dot apart, and addresses have several notations."""
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        return text.strip().rstrip(".").lower()


def system_resolvers(path: str) -> list[str]:
    """Raises Unknown when the system names none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:  # noqa: PTH123 - a path as text
            words = [line.split() for line in lines]
    except OSError:
        words = []
    found = [one[1] for one in words if len(one) > 1 and one[0] == "nameserver" and plain(one[1]) is not None]
    if not found:
        raise Unknown("no_resolver", "this host names no name server")
    return found[:MOST_RESOLVERS]


class _Answers(asyncio.DatagramProtocol):
    """Waits for the answer to one question, and passes by whatever else arrives: a guess must hit id, port and name."""

    def __init__(self, asked: tuple[int, str, int]) -> None:
        self._asked = asked
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _address: object) -> None:
        try:
            found = decode_answer(data, *self._asked)
        except BadMessage:
            return
        if not self.answer.done():
            self.answer.set_result(found)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def _by_udp(
    resolver: str, port: int, question: bytes, asked: tuple[int, str, int], timeout: float
) -> Answer:
    """From a fresh port each time, which the kernel draws. Raises OSError."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _Answers(asked), remote_addr=(resolver, port)
    )
    try:
        for _ in range(_TRIES - 1):
            transport.sendto(question)
            done, _ = await asyncio.wait([protocol.answer], timeout=timeout / (2 * _TRIES))
            if done:
                return protocol.answer.result()
        transport.sendto(question)
        return await protocol.answer
    finally:
        protocol.answer.cancel()
        transport.close()


async def _by_tcp(resolver: str, port: int, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(resolver, port)
    try:
        writer.write(len(question).to_bytes(2, "big") + question)
        await writer.drain()
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(min(size, MOST_BYTES))
    except asyncio.IncompleteReadError as error:
        raise Down("cut_short", "the name server's answer is cut short") from error
    finally:
        writer.transport.abort()
