"""A name server that says what a test wrote for it, and resolvers that ask it: what a rebinding attacker runs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.name
import dns.resolver
import dns.rrset

Answers = list[list[str]]
Names = dict[str, Answers]


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """`names` says what the first question about a name is answered by, then the second; the last one stays."""

    names: Names
    asked: list[tuple[str, str]] = field(default_factory=list)
    _transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert self._transport is not None
        self._transport.sendto(self.answer(data), addr)

    def answer(self, data: bytes) -> bytes:
        question = dns.message.from_wire(data)
        response = dns.message.make_response(question)
        response.flags |= dns.flags.RA
        asked = question.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), asked.rdtype.name
        said = self._next(name, kind)
        if said is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif texts := [one for one in said if (":" in one) == (kind == "AAAA")]:
            response.answer.append(dns.rrset.from_text(asked.name, 0, "IN", kind, *texts))
        self.asked.append((name, kind))
        return response.to_wire()

    def _next(self, name: str, kind: str) -> list[str] | None:
        if name not in self.names:
            return None
        turn = self.asked.count((name, kind))
        return self.names[name][min(turn, len(self.names[name]) - 1)] if kind in {"A", "AAAA"} else []


@asynccontextmanager
async def name_server(
    names: Names, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[tuple[NameServer, int]]:
    """The double, and the port that it is asked on."""
    server = NameServer(names)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: server, local_addr=(address, port)
    )
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def asking(port: int) -> Callable[[str], Any]:
    """A `Resolve` that asks the double, as the system's resolver would ask its own server."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], port, 5

    async def resolve(host: str) -> list[str]:
        found: list[str] = []
        for kind in ("A", "AAAA"):
            try:
                answer = await resolver.resolve(dns.name.from_text(host), kind)
            except dns.resolver.NXDOMAIN as error:
                raise socket.gaierror(socket.EAI_NONAME, "unknown") from error
            except dns.resolver.NoAnswer:
                continue
            found += [one.address for one in answer]
        return found

    return resolve
