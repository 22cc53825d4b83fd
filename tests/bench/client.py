"""An HTTP/1.1 client on a kept connection that does the least that is right, so that an answer's time is the server's."""

import socket
import time
from dataclasses import dataclass, field
from typing import Self

import numpy as np

_PIECE = 1 << 18


class Refused(Exception):
    """The answer's status was not 200."""


@dataclass
class Client:
    """GETs on one connection. `busy` is the CPU time that this side has spent, in seconds."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    busy: float = 0.0

    def __enter__(self) -> Self:
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        self._tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{lines}\r\n".encode()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, path: str) -> bytes:
        """The body. Raises Refused."""
        started = time.thread_time()
        try:
            self._socket.sendall(b"GET " + path.encode() + self._tail)
            return self._answer()
        finally:
            self.busy += time.thread_time() - started

    def _answer(self) -> bytes:
        head, rest = self._until(b"", b"\r\n\r\n")
        fields = head.lower()
        if b"transfer-encoding: chunked" in fields:
            body = self._chunks(rest)
        else:
            size = int(fields.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            body, _ = self._exactly(rest, size)
        if head[9:12] != b"200":
            raise Refused(f"{head[9:12]!r} {body[:300]!r}")
        return body

    def _chunks(self, buffer: bytes) -> bytes:
        pieces = []
        while True:
            line, buffer = self._until(buffer, b"\r\n")
            size = int(line, 16)
            piece, buffer = self._exactly(buffer, size + 2)
            if not size:
                return b"".join(pieces)
            pieces.append(piece[:-2])

    def _until(self, buffer: bytes, mark: bytes) -> tuple[bytes, bytes]:
        while (end := buffer.find(mark)) < 0:
            buffer += self._received()
        return buffer[:end], buffer[end + len(mark) :]

    def _exactly(self, buffer: bytes, size: int) -> tuple[bytes, bytes]:
        pieces, have = [buffer], len(buffer)
        while have < size:
            pieces.append(self._received())
            have += len(pieces[-1])
        whole = b"".join(pieces)
        return whole[:size], whole[size:]

    def _received(self) -> bytes:
        if not (piece := self._socket.recv(_PIECE)):
            raise ConnectionError("the server hung up")
        return piece


@dataclass
class Timing:
    """What some requests took, in milliseconds; `client_ms` is this side's own CPU time of each."""

    requests: int
    p50_ms: float
    p95_ms: float
    most_ms: float
    client_ms: float
    bytes: float

    @classmethod
    def of(cls, seconds: list[float], busy: float, size: int) -> Self:
        milliseconds = np.array(seconds) * 1000
        p50, p95, most = np.percentile(milliseconds, [50, 95, 100])
        count = len(seconds)
        return cls(count, float(p50), float(p95), float(most), busy * 1000 / count, size / count)
