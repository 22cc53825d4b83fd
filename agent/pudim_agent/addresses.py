"""The host's own addresses over netlink, where programs as `ip` get them from."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

_ROUTE = 0  # NETLINK_ROUTE
_GET = 22  # RTM_GETADDR
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBI")  # struct ifaddrmsg
_ATTRIBUTE = struct.Struct("=HH")
_ADDRESS_OF, _LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL; the first is the other end's where there are two ends
_EVERYWHERE = 0  # RT_SCOPE_UNIVERSE: neither this host's only nor this link's
_TEMPORARY, _DEPRECATED, _TENTATIVE = 0x01, 0x20, 0x40
_BUFFER, _MOST = 1 << 16, 1024
_PATIENCE = 0.5


def addresses() -> list[str]:
    """Lasting addresses that others may reach, in the order of the interfaces. Raises OSError."""
    found: list[str] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _ROUTE) as link:
        link.settimeout(_PATIENCE)
        request = _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        link.send(_HEADER.pack(_HEADER.size + len(request), _GET, _DUMP, 1, 0) + request)
        while len(found) < _MOST:
            part = link.recv(_BUFFER)
            for kind, body in _messages(part):
                if kind in (_DONE, _ERROR):
                    return found
                if address := _reachable(body):
                    found.append(address)
    return found


def _messages(part: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(part):
        length, kind, *_ = _HEADER.unpack_from(part, at)
        yield kind, part[at + _HEADER.size : at + length]
        at += max(_HEADER.size, (length + 3) & ~3)


def _reachable(body: bytes) -> str | None:
    family, _, flags, scope, _ = _ADDRESS.unpack_from(body)
    if scope != _EVERYWHERE or flags & (_TEMPORARY | _DEPRECATED | _TENTATIVE):
        return None
    told = dict(_attributes(body[_ADDRESS.size :]))
    raw = told.get(_LOCAL, told.get(_ADDRESS_OF))
    return socket.inet_ntop(family, raw) if raw else None


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        yield kind, body[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, (length + 3) & ~3)
