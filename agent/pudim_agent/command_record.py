"""What this host must not forget of commands: the last number, the key that signs, and its own chain of reports.

Everything is on disk before it counts. A number is kept before its action begins, so that a power cut can lose an action
and never do it twice; a report stays until the collector has it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.vocabulary.errors import PudimError
from pudim.wire.codec import pack, unpack
from pudim.wire.commands import NOTHING_BEFORE, Envelope, Report, digest_of, sign_report
from pudim.wire.keys import SIGNATURE_BYTES, BadKey, public_bytes, public_from_bytes
from pudim.wire.messages import Result
from pudim.wire.refusals import Refusal
from pudim_agent.command_checks import Keys
from pudim_agent.identity import sync_directory, write_private

_log = logging.getLogger(__name__)
FOLDER = "commands"
MAX_WAITING = 64
"""Reports that the collector has not taken; then nothing is done any more, for its outcome could not be told."""
_STATE = "state"
_SUFFIX = ".report"


class DamagedRecord(PudimError):
    """What this host remembers of commands cannot be read, so that none can be told from a repeated one."""

    code = "damaged_record"
    hint = "Delete the folder `commands` in the state directory; the collector then shows that the chain of reports began anew."


@dataclass(frozen=True)
class Begun:
    """A command whose action began and whose report is not kept yet."""

    command_id: bytes
    about: bytes
    at: int


@dataclass(frozen=True)
class State:
    keys: Keys = field(default_factory=Keys)
    sequence: int = 0
    reports: int = 0
    head: bytes = NOTHING_BEFORE
    begun: Begun | None = None

    def encode(self) -> bytes:
        key = self.keys.current
        begun = self.begun
        return pack(
            [
                1,
                self.keys.serial,
                public_bytes(key) if key else None,
                list(self.keys.revoked),
                self.sequence,
                self.reports,
                self.head,
                [begun.command_id, begun.about, begun.at] if begun else None,
            ]
        )

    @classmethod
    def decode(cls, content: bytes) -> State:
        """Raises DamagedRecord."""
        try:
            _, serial, key, revoked, sequence, reports, head, begun, *_ = unpack(content)
            keys = Keys(int(serial), public_from_bytes(key) if key else None, tuple(revoked))
            return cls(keys, int(sequence), int(reports), bytes(head), Begun(*begun) if begun else None)
        except (Refusal, BadKey, ValueError, TypeError) as error:
            raise DamagedRecord(str(error)) from error


class CommandRecord:
    """Kept in a folder of the state directory, written only when there is something to remember."""

    def __init__(self, state_dir: Path, key: Ed25519PrivateKey) -> None:
        """Raises DamagedRecord."""
        self._folder, self._key = state_dir / FOLDER, key
        self.state = self._read()
        self._waiting: dict[int, bytes] = {}
        self._take_up()

    @property
    def has_room(self) -> bool:
        return len(self._waiting) < MAX_WAITING

    def mandated(self, keys: Keys) -> None:
        self._keep(replace(self.state, keys=keys))

    def begin(self, envelope: Envelope, about: bytes, now: int) -> None:
        """The envelope's number is used up from here on, whatever happens."""
        begun = Begun(envelope.command_id.bytes, about, now)
        self._keep(replace(self.state, sequence=envelope.sequence, begun=begun))

    def add(self, report: Report) -> None:
        """Chain, sign and keep a report; its `sequence` and `previous` are set here."""
        chained = replace(report, sequence=self.state.reports + 1, previous=self.state.head)
        body = chained.encode()
        signature = sign_report(body, self._key)
        write_private(self._path(chained.sequence), signature + body)
        self._waiting[chained.sequence] = Result(body, signature).encode()
        self._keep(replace(self.state, reports=chained.sequence, head=digest_of(body), begun=None))

    def taken(self, sequence: int) -> None:
        """The collector has every report up to this one."""
        gone = [one for one in self._waiting if one <= sequence]
        for one in gone:
            del self._waiting[one]
            with suppress(FileNotFoundError):
                self._path(one).unlink()
        if gone:
            sync_directory(self._folder)

    def since(self, sequence: int) -> Iterator[tuple[int, bytes]]:
        """Messages of the reports after that one, oldest first."""
        yield from sorted(one for one in self._waiting.items() if one[0] > sequence)

    def _read(self) -> State:
        try:
            return State.decode((self._folder / _STATE).read_bytes())
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise DamagedRecord(str(error)) from error

    def _take_up(self) -> None:
        """The reports that wait; one that was written just before the power went is the chain's newest."""
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            content = path.read_bytes()
            signature, body = content[:SIGNATURE_BYTES], content[SIGNATURE_BYTES:]
            try:
                report = Report.decode(body)
            except Refusal as refusal:
                raise DamagedRecord(f"{path.name}: {refusal.detail}") from refusal
            self._waiting[report.sequence] = Result(body, signature).encode()
            if report.sequence > self.state.reports:
                self.state = replace(self.state, reports=report.sequence, head=digest_of(body), begun=None)

    def _keep(self, state: State) -> None:
        write_private(self._folder / _STATE, state.encode())
        self.state = state

    def _path(self, sequence: int) -> Path:
        return self._folder / f"{sequence:020d}{_SUFFIX}"
