"""When one key takes the place of another: the key before says so in a signed statement, and this is the one rule by which it is believed.

It serves the collector's key, which agents pin, and the key that releases are signed with. It needs nothing but the
standard library, for the agent's installer has nothing else; so who asks brings the way to check a signature.

    "PUDS" version[1] epoch[8] previous[32] key[32] not_before[8] expires[8] signature[64]
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import NamedTuple

COLLECTOR_DOMAIN = b"pudim collector key successor\0"
RELEASE_DOMAIN = b"pudim release key successor\0"
MAX_LINKS = 16
"""An end that missed more changes than these has to be told the key anew."""
MAX_SKEW_MS = 300_000
_MAGIC, _VERSION = b"PUDS", 1
_STATEMENT = struct.Struct(">4sBQ32s32sQQ")
SIGNATURE_BYTES = 64
LINK_BYTES = _STATEMENT.size + SIGNATURE_BYTES

SignedBy = Callable[[bytes, bytes, bytes], bool]
"""Whether of a public key and a signature the latter is the key's over the third, the message."""


class SuccessionRefused(Exception):
    """This successor is not believed; `code` says why."""

    code = "succession_refused"


class SuccessionUnreadable(SuccessionRefused):
    """It is no statement of a successor."""

    code = "succession_unreadable"


class SuccessionForged(SuccessionRefused):
    """The key before did not sign it, or signed it for another use."""

    code = "succession_forged"


class SuccessionOfAnotherKey(SuccessionRefused):
    """It names a successor of another key than the one that is believed here."""

    code = "succession_of_another_key"


class SuccessionReplayed(SuccessionRefused):
    """It is not newer than the key that is believed here."""

    code = "succession_replayed"


class SuccessionDowngraded(SuccessionRefused):
    """Another successor that is at least as new is known already."""

    code = "succession_downgraded"


class SuccessionTooEarly(SuccessionRefused):
    """It does not count yet, by this host's clock."""

    code = "succession_too_early"


class SuccessionExpired(SuccessionRefused):
    """It does not count any more, by this host's clock."""

    code = "succession_expired"


class Successor(NamedTuple):
    """`key` takes the place of `previous`. A higher `epoch` is newer; times are Unix milliseconds."""

    epoch: int
    previous: bytes
    key: bytes
    not_before: int
    expires: int

    def encode(self) -> bytes:
        return _STATEMENT.pack(_MAGIC, _VERSION, *self)


class Pin(NamedTuple):
    """The key that is believed, how new it is, and the one that may take its place as soon as its holder shows it."""

    key: bytes
    epoch: int = 0
    successor: Successor | None = None

    @property
    def believed(self) -> tuple[bytes, ...]:
        return (self.key,) if self.successor is None else (self.key, self.successor.key)

    def shown(self, key: bytes) -> Pin:
        """After the holder of one of the believed keys showed that he has it: the key before a successor is believed no more."""
        if self.successor is not None and key == self.successor.key:
            return Pin(key, self.successor.epoch)
        return self


def read(link: bytes) -> Successor:
    """What a link says; nothing of it is to be believed for that. Raises SuccessionUnreadable."""
    if len(link) != LINK_BYTES:
        raise _refusal(SuccessionUnreadable)
    magic, version, *said = _STATEMENT.unpack_from(link)
    found = Successor(*said)
    if magic != _MAGIC or version != _VERSION or found.key == found.previous:
        raise _refusal(SuccessionUnreadable)
    return found


def announced(pin: Pin, link: bytes, *, domain: bytes, signed_by: SignedBy, now: int) -> Pin:
    """The pin with the successor that `link` names; the same pin where it is known. Raises a SuccessionRefused."""
    said = read(link)
    # Only the name of the refusal hangs on what is read before the signature.
    if said.previous != pin.key:
        raise _refusal(SuccessionReplayed if said.epoch <= pin.epoch else SuccessionOfAnotherKey)
    if not signed_by(pin.key, link[-SIGNATURE_BYTES:], domain + link[:-SIGNATURE_BYTES]):
        raise _refusal(SuccessionForged)
    if said.epoch <= pin.epoch:
        raise _refusal(SuccessionReplayed)
    if said == pin.successor:
        return pin
    if pin.successor is not None and said.epoch <= pin.successor.epoch:
        raise _refusal(SuccessionDowngraded)
    if now < said.not_before - MAX_SKEW_MS:
        raise _refusal(SuccessionTooEarly)
    if now >= said.expires:
        raise _refusal(SuccessionExpired)
    return pin._replace(successor=said)


def followed(pin: Pin, links: Iterable[bytes], *, domain: bytes, signed_by: SignedBy, now: int) -> Pin:
    """Where a chain leads, each link signed by the key of the one before. Raises a SuccessionRefused.

    Its first link may be of the key that is believed, or of the successor that is known and not shown yet.
    """
    for link in links:
        said = read(link)
        pin = announced(pin.shown(said.previous), link, domain=domain, signed_by=signed_by, now=now)
        pin = pin.shown(said.key)
    return pin


def split(chain: bytes) -> list[bytes]:
    """The links of a chain. Raises SuccessionUnreadable."""
    if len(chain) % LINK_BYTES or len(chain) > MAX_LINKS * LINK_BYTES:
        raise _refusal(SuccessionUnreadable)
    return [chain[at : at + LINK_BYTES] for at in range(0, len(chain), LINK_BYTES)]


def path(links: Iterable[bytes], believed: Iterable[bytes], own: bytes) -> list[bytes]:
    """The links that lead from a key that the other end believes to `own`; none where it believes that, or none lead there."""
    found, wanted = list[bytes](), own
    known = frozenset(believed)
    for link in reversed(list(links)):
        if wanted in known:
            break
        said = read(link)
        if said.key == wanted:
            found.insert(0, link)
            wanted = said.previous
    return found if wanted in known else []


def _refusal(kind: type[SuccessionRefused]) -> SuccessionRefused:
    return kind((kind.__doc__ or kind.code).strip())
