"""Who really asks where proxies stand in between: a header counts only as far as proxies that we trust wrote it.

uvicorn's own believes loopback by default, and every header at once. Here one family of headers counts, the one that the
proxy is known to write: the other reaches us as the client sent it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias

from litestar.types import ASGIApp, Receive, Scope, Send

from pudim.vocabulary.errors import PudimError

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
UNIX = "unix"
_PROXIED = "came_from_proxy"
MOST_HOPS = 32
"""Proxies in a row that are looked at; who stands before more of them is unknown."""
MOST_CHARACTERS = 4096
"""Of all lines of one header together."""
_SECURE = {"http": "ws", "https": "wss"}
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PORT = re.compile(r"[0-9]{1,5}")
_PAIR = re.compile(
    r"""\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))\s*"""
)


class BadProxies(PudimError):
    """This is no list of networks."""

    code = "bad_proxies"
    hint = "Write networks and addresses such as 10.0.0.0/8,2001:db8::1, and `unix` for a proxy on this host's socket."


class ProxyHeaders(StrEnum):
    """Which headers the proxies write; those of the other family are the client's own and mean nothing."""

    X_FORWARDED = "x-forwarded"
    FORWARDED = "forwarded"


Node: TypeAlias = tuple[str, int]
"""An address, and its port or 0."""


@dataclass(frozen=True)
class Said:
    """What the proxies say: who asked each of them, the nearest one's word first, and how the nearest one was asked.

    A node is None where it is hidden or not in words we know; scheme and host are None where they are not told.
    """

    nodes: list[Node | None]
    scheme: str | None = None
    host: str | None = None


@dataclass(frozen=True)
class TrustedProxies:
    networks: tuple[Network, ...] = ()
    unix: bool = False
    headers: ProxyHeaders = ProxyHeaders.X_FORWARDED

    @classmethod
    def parse(cls, text: str, headers: ProxyHeaders = ProxyHeaders.X_FORWARDED) -> TrustedProxies:
        """Networks with commas between them. Raises BadProxies."""
        words = [word.strip() for word in text.split(",") if word.strip()]
        try:
            networks = tuple(ip_network(word) for word in words if word != UNIX)
        except ValueError as error:
            raise BadProxies(f"{error}.") from error
        return cls(networks, UNIX in words, headers)

    def trusts(self, peer: str | None) -> bool:
        """`peer` None is one that came through a unix socket."""
        if peer is None:
            return self.unix
        address = plain_address(peer)
        return address is not None and any(address in network for network in self.networks)


@lru_cache(4096)
def plain_address(text: str) -> Address | None:
    """An address, as IPv4 where it is one inside IPv6; None for anything else, and for one that is only valid on a link."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return None if address.scope_id else address.ipv4_mapped or address
    return address


def node(text: str) -> Node | None:
    """Address and port (0 if not told) of a hop as headers write it; None for `unknown`, hidden names and nonsense."""
    text = text.strip()
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if rest.startswith(":") else ""
        if not closed or (rest and not port) or ":" not in host:
            return None
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            return None
    else:
        host, port = text, ""
    address = plain_address(host)
    if address is None or (port and not (_PORT.fullmatch(port) and 0 < int(port) < 65_536)):  # noqa: PLR2004
        return None
    return str(address), int(port or 0)


def x_forwarded(headers: Sequence[tuple[bytes, bytes]]) -> Said:
    schemes = _from_the_right(_joined(headers, b"x-forwarded-proto"))
    hosts = _from_the_right(_joined(headers, b"x-forwarded-host"))
    return Said(
        [node(one) for one in _from_the_right(_joined(headers, b"x-forwarded-for"))],
        _scheme(schemes[0]) if schemes else None,
        _host(hosts[0]) if hosts else None,
    )


def forwarded(headers: Sequence[tuple[bytes, bytes]]) -> Said:
    """RFC 7239; who asks is unknown if the header cannot be read."""
    text = _joined(headers, b"forwarded")
    if text is None:
        return Said([])
    try:
        elements = list(_elements(text))[: -MOST_HOPS - 2 : -1]
    except ValueError:
        return Said([None])
    nearest = elements[0]
    nodes = [node(one.get("for", "")) for one in elements]
    return Said(nodes, _scheme(nearest.get("proto", "")), _host(nearest.get("host", "")))


def _elements(text: str) -> Iterator[dict[str, str]]:
    """Raises ValueError for what is not written as RFC 7239 says."""
    element: dict[str, str] = {}
    position = 0
    while position <= len(text):
        pair = _PAIR.match(text, position)
        if pair is None or pair[1].lower() in element:
            raise ValueError(position)
        quoted = pair[2]
        element[pair[1].lower()] = pair[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        position = pair.end()
        following = text[position : position + 1]
        if following not in {",", ";", ""}:
            raise ValueError(position)
        if following != ";":
            yield element
            element = {}
        position += 1


def _joined(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> str | None:
    """All lines of a header as one, None for none; of too much only the end, which the nearest proxies wrote."""
    lines = [value.decode("latin-1") for key, value in headers if key == name]
    text = ",".join(lines)
    return None if not lines else text if len(text) <= MOST_CHARACTERS else f"?{text[-MOST_CHARACTERS:]}"


def _from_the_right(text: str | None) -> list[str]:
    """One more than is looked at, so that a longer chain is seen to be one."""
    return (
        []
        if text is None
        else [part.strip() for part in text.rsplit(",", MOST_HOPS + 1)][: -MOST_HOPS - 2 : -1]
    )


def _scheme(text: str) -> str | None:
    return text.lower() if text.lower() in _SECURE else None


def _host(text: str) -> str | None:
    return text.lower() if _HOST.fullmatch(text) else None


def client_of(peer: Node | None, said: Said, proxies: TrustedProxies) -> Node | None:
    """The right-most node that is no trusted proxy; `peer` where nobody is named.

    None where it is unknown: a hidden name, a broken header, or more proxies than are looked at.
    """
    if not said.nodes:
        return peer
    for one in said.nodes[:MOST_HOPS]:
        if one is None or not proxies.trusts(one[0]):
            return one
    return said.nodes[-1] if len(said.nodes) <= MOST_HOPS else None


@dataclass(frozen=True)
class BehindProxies:
    """The ASGI application with client, scheme and host put right, for requests and websockets alike."""

    app: ASGIApp
    proxies: TrustedProxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            scope = self.corrected(scope)
        await self.app(scope, receive, send)

    def corrected(self, scope: Any) -> Any:
        peer = _plain(scope.get("client"))
        if not self.proxies.trusts(peer[0] if peer else None):
            return {**scope, "client": peer}
        read = x_forwarded if self.proxies.headers is ProxyHeaders.X_FORWARDED else forwarded
        said = read(scope["headers"])
        changed = {**scope, "client": client_of(peer, said, self.proxies)}
        changed["state"] = {**scope.get("state", {}), _PROXIED: True}
        if said.scheme:
            changed["scheme"] = _SECURE[said.scheme] if scope["type"] == "websocket" else said.scheme
        if said.host:
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            changed["headers"] = [(b"host", said.host.encode()), *others]
        return changed


def came_from_proxy(scope: Scope) -> bool:
    """Whether a proxy that we trust handed this request on."""
    return bool(scope.get("state", {}).get(_PROXIED))


def _plain(peer: Node | None) -> Node | None:
    return (str(plain_address(peer[0]) or peer[0]), peer[1]) if peer else None
