"""Connects to the address that the guard has seen: a name is asked for once, and what it gave is what is connected to."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
from collections.abc import Callable
from contextlib import suppress

from pudim.checks import Down, Figure, NotUp, Surroundings, Unknown
from pudim.checks.addresses import plain
from pudim.deadlines import within

MOST_ADDRESSES = 4
"""Of a name with more, these are tried."""
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_LONGEST_NAME = 253
_CODES = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.ETIMEDOUT: "timeout",
}
_OURS = {
    errno.EACCES: "not_permitted",
    errno.EPERM: "not_permitted",
    errno.EMFILE: "out_of_files",
    errno.ENFILE: "out_of_files",
    errno.ENOMEM: "out_of_memory",
    errno.ENOBUFS: "out_of_memory",
}


class Phases:
    """How long each part of a run took: the one that was entered last goes on until the next, or `end`."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._spent: dict[Figure, float] = {}
        self._name = ""
        self._since = self.started = timer()

    def enter(self, name: str) -> None:
        self.end()
        self._name = name

    def end(self) -> None:
        now = self._timer()
        if self._name:
            one = phase(self._name)
            self._spent[one] = self._spent.get(one, 0.0) + now - self._since
        self._name, self._since = "", now

    @property
    def total(self) -> float:
        return self._timer() - self.started

    def figures(self) -> dict[Figure, float]:
        return dict(self._spent)


def phase(name: str) -> Figure:
    return Figure("pudim.check.phase.duration", (("pudim.check.phase", name),))


def is_host(text: str) -> bool:
    """Whether it is an address or a name that may be asked for; one with letters of other scripts counts in its IDNA form."""
    return plain(text) is not None or is_name(text)


def is_name(text: str) -> bool:
    try:
        found = ascii_name(text)
    except ValueError:
        return False
    return len(found) <= _LONGEST_NAME and _NAME.fullmatch(found) is not None


def ascii_name(text: str) -> str:
    """A name as DNS and TLS know it. Raises ValueError."""
    return text if text.isascii() else text.encode("idna").decode()


async def allowed(host: str, around: Surroundings) -> list[str]:
    """The addresses of a host that may be connected to. Raises Down or Unknown."""
    given = plain(host)
    found = [str(given)] if given is not None else await _resolved(host, around)
    good = [str(plain(one)) for one in found if around.guard.refusal(one) is None]
    if not good:
        why = around.guard.refusal(found[0])
        name = host if given is not None else f"{host}, which is {found[0]},"
        raise Unknown("address_refused", f"{name} may not be asked: {why}")
    return good[:MOST_ADDRESSES]


async def _resolved(host: str, around: Surroundings) -> list[str]:
    try:
        found = await around.resolve(ascii_name(host))
    except (socket.gaierror, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno in {socket.EAI_AGAIN, socket.EAI_FAIL}:
            raise Unknown("resolver_failed", f"the name {host} could not be asked for") from error
        raise Down("name_unknown", f"there is no address of {host}") from error
    except OSError as error:
        raise Unknown("resolver_failed", f"the name {host} could not be asked for: {error}") from error
    if not found:
        raise Down("name_unknown", f"there is no address of {host}")
    return found


async def connect(
    host: str, port: int, around: Surroundings, phases: Phases, patience: float
) -> socket.socket:
    """A connected socket that does not block. No address takes more than its share of `patience` seconds.

    Raises Down or Unknown.
    """
    phases.enter("resolve")
    addresses = await allowed(host, around)
    phases.enter("connect")
    failure: NotUp = Down("timeout", f"{host} does not answer")
    for address in addresses:
        try:
            async with within(patience / len(addresses)):
                return await _open(address, port)
        except asyncio.TimeoutError:  # noqa: PERF203 - each address may fail by itself
            failure = Down("timeout", f"{address} port {port} does not answer")
        except OSError as error:
            failure = failed(error, f"{address} port {port}")
    raise failure


async def _open(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        made.setblocking(False)
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made


def failed(error: OSError, about: str) -> NotUp:
    """What a failed call says: of the other side, or of this machine, which tells nothing of the other side."""
    words = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
    if error.errno in _OURS:
        return Unknown(_OURS[error.errno], f"{about}: {words}")
    code = _CODES.get(error.errno or 0, "reset" if isinstance(error, ConnectionError) else "failed")
    return Down(code, f"{about}: {words}")
