"""Which key of the collector this host believes: the one of its configuration, or one that followed from it, step by step.

The configuration is root's and stays as it was written. What followed is kept in the state directory, and is on disk
before it counts.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from pudim.succession import (
    COLLECTOR_DOMAIN,
    Pin,
    SuccessionRefused,
    Successor,
    announced,
    read,
)
from pudim.vocabulary.errors import PudimError
from pudim.wire.codec import pack, unpack
from pudim.wire.keys import BadKey, from_text, public_from_bytes, signed_by, to_text
from pudim.wire.refusals import Refusal
from pudim_agent.clock import Clock
from pudim_agent.identity import write_private
from pudim_agent.notices import Notices

_log = logging.getLogger(__name__)
FILE = "collector.keys"
NOTICE = "collector_key"
_MOST_BYTES = 4096


class DamagedPin(PudimError):
    """What this host knows of the collector's keys cannot be read."""

    code = "damaged_pin"
    hint = "Enrol this host again; or delete the file, which goes back to the key of the configuration."


class _Kept(NamedTuple):
    """`anchor` is the configuration's key, from which the others follow."""

    anchor: bytes
    pin: Pin


class Pinned:
    """The pin of a running agent, which tells its collector what it believes."""

    def __init__(self, state_dir: Path, collector_key: str, *, notices: Notices, clock: Clock) -> None:
        """Raises DamagedPin."""
        self._path, self._anchor = state_dir / FILE, from_text(collector_key)
        self._notices, self._clock = notices, clock
        self._refused: str | None = None
        self.pin = load(state_dir, collector_key)
        self.tell()

    @property
    def now_ms(self) -> int:
        return self._clock.now().wall_ms

    def announced(self, link: bytes) -> None:
        """The collector names the key that it is going to have. One that is not in order is logged and changes nothing."""
        try:
            public_from_bytes(read(link).key)
            following = announced(
                self.pin, link, domain=COLLECTOR_DOMAIN, signed_by=signed_by, now=self.now_ms
            )
        except (SuccessionRefused, BadKey) as refused:
            _log.warning("a successor of the collector's key is refused (%s): %s", refused.code, refused)
            self._refused = refused.code
        else:
            self._refused = None
            self.follow(following)
        self.tell()

    def follow(self, pin: Pin) -> None:
        """Believe this from now on. Where it cannot be kept, it is learned again on the next connection."""
        if pin == self.pin:
            return
        try:
            write_private(self._path, _encoded(_Kept(self._anchor, pin)))
        except OSError as error:
            _log.warning("the collector's new key cannot be kept: %s", error)
            return
        self.pin = pin
        _log.info("%s", said(pin))
        self.tell()

    def tell(self) -> None:
        key, epoch, successor = self.pin
        document = {
            "key": to_text(key),
            "epoch": epoch,
            "successor": to_text(successor.key) if successor else None,
            "refused": self._refused,
        }
        self._notices.tell(NOTICE, self.now_ms, document)


def load(state_dir: Path, collector_key: str) -> Pin:
    """What a host with this key in its configuration believes. Raises DamagedPin."""
    anchor = from_text(collector_key)
    try:
        with (state_dir / FILE).open("rb") as file:
            kept = _decoded(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return Pin(anchor)
    except OSError as error:
        raise DamagedPin(str(error)) from error
    return kept.pin if kept.anchor == anchor else Pin(anchor)


def forget(state_dir: Path) -> None:
    """Believe the configuration's key alone."""
    (state_dir / FILE).unlink(missing_ok=True)


def said(pin: Pin) -> str:
    """For people."""
    told = f"pinned is {to_text(pin.key)}" + (f", change {pin.epoch}" if pin.epoch else "")
    return f"{told}; its successor waits: {to_text(pin.successor.key)}" if pin.successor else told


def _encoded(kept: _Kept) -> bytes:
    key, epoch, successor = kept.pin
    return pack([1, kept.anchor, key, epoch, list(successor) if successor else None])


def _decoded(content: bytes) -> _Kept:
    try:
        version, anchor, key, epoch, successor = unpack(content)
        waiting = Successor(*successor) if successor else None
        for one in (anchor, key, *([waiting.previous, waiting.key] if waiting else [])):
            public_from_bytes(one)
        if version != 1 or not isinstance(epoch, int):
            raise DamagedPin
    except (Refusal, BadKey, ValueError, TypeError) as error:
        raise DamagedPin from error
    return _Kept(anchor, Pin(key, epoch, waiting))
