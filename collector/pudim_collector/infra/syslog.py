"""Sends syslog messages (RFC 5424) and says when the receiver has them: UDP, TCP with octet counting, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence

from pudim.vocabulary.errors import PudimError

PATIENCE = 10.0
"""Seconds for a connection, and for a batch to be taken."""
LONGEST_DATAGRAM = 8_192


class NotTakenError(PudimError):
    """The receiver did not take the messages."""

    code = "syslog_not_taken"
    retry = True


def framed(messages: Sequence[bytes]) -> bytes:
    """With octet counting (RFC 6587, 5425), which no text inside a message can break."""
    return b"".join(b"%d %s" % (len(one), one) for one in messages)


async def send_datagrams(host: str, port: int, messages: Sequence[bytes]) -> None:
    """Raises NotTakenError where the network says so; that all arrived cannot be known over UDP."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            with socket.socket(family, kind, protocol) as sender:
                sender.setblocking(False)
                await loop.sock_connect(sender, address)
                for message in messages:
                    await loop.sock_sendall(sender, message[:LONGEST_DATAGRAM])
    except (OSError, TimeoutError) as error:
        raise NotTakenError(_said(error)) from error


async def send_stream(
    host: str, port: int, messages: Sequence[bytes], *, tls: ssl.SSLContext | None = None
) -> None:
    """One connection for all. Returns once the receiver has read them to the end and closed. Raises NotTakenError.

    Syslog over TCP acknowledges nothing, and what lies in the network's buffers is lost with the receiver. That it
    closes after our end is the one sign that it has read everything.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=tls, server_hostname=host if tls else None
            )
            try:
                writer.write(framed(messages))
                await writer.drain()
                if tls is None:
                    writer.write_eof()
                    while await reader.read(4_096):
                        pass
            finally:
                writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        raise NotTakenError(_said(error)) from error


def _said(error: Exception) -> str:
    return (
        "It did not answer in time."
        if isinstance(error, TimeoutError)
        else f"{type(error).__name__}: {error}"[:300]
    )
