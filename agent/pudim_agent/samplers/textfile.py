"""Figures that scripts and cron jobs leave in a directory, as `*.prom` files in Prometheus' text format.

A file is read again when it changed. One that cannot be read costs its own series only, and is told by name and line.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from pudim.vocabulary.errors import PudimError
from pudim.wire.layouts import MAX_TEXT
from pudim_agent.custom.census import Origin
from pudim_agent.custom.exposition import BadExposition, Sample, samples
from pudim_agent.custom.filling import Filling
from pudim_agent.custom.names import FILE, KIND
from pudim_agent.custom.readings import counts_of, own, readings
from pudim_agent.deltas import NAN
from pudim_agent.samplers import Host, Reading, SamplerConfig, Tick, samplers
from pudim_agent.text import printable

MOST_FILES = 100
MOST_BYTES = 1 << 20
_MOST_ENTRIES = 10_000
_SUFFIX = ".prom"
_TOO_LARGE = f"larger than {MOST_BYTES} bytes"
_COUNTS = counts_of("textfile")
_AGE = own("pudim.textfile.age")
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class TextfileConfig(SamplerConfig):
    directory: Path = field(
        default=Path("/var/lib/pudim/textfile"),
        metadata={"help": "Where `*.prom` files are looked for; who may write there names series."},
    )
    max_series: int = field(
        default=1000, metadata={"help": "Series of all files together.", "low": 1, "high": 5000}
    )


class BadFile(PudimError):
    """A file that is not read."""

    code = "bad_file"


@samplers.register("textfile")
class Textfile:
    Config = TextfileConfig

    def __init__(self, host: Host, config: TextfileConfig) -> None:
        self._host = host
        self._directory = str(config.directory)
        self._share = host.custom.share("textfile", config.max_series)
        self._files: dict[str, _File] = {}

    def sample(self, tick: Tick) -> Iterable[Reading]:
        self._host.custom.look(tick.monotonic, tick.time_ms, self._host.notices)
        names = self._names(tick)
        for name, file in list(self._files.items()):
            if name not in names:
                file.vanish(tick.monotonic)
                del self._files[name]
        for name in names:
            if name not in self._files:
                self._files[name] = _File(self._share.origin(name, {KIND: "textfile", FILE: name}))
            self._files[name].look(names[name], tick)
        yield from readings(self._share, _COUNTS)

    def _names(self, tick: Tick) -> dict[str, str]:
        """The path of each file by its name as it is shown. No directory means that nobody leaves anything."""
        try:
            with os.scandir(self._directory) as entries:
                found = sorted(
                    one.name for one in islice(entries, _MOST_ENTRIES) if one.name.endswith(_SUFFIX)
                )
        except (FileNotFoundError, NotADirectoryError):
            return {}
        self._tell_left_out(found[MOST_FILES:], tick)
        return {
            printable(os.fsencode(name), MAX_TEXT): f"{self._directory}/{name}" for name in found[:MOST_FILES]
        }

    def _tell_left_out(self, names: Sequence[str], tick: Tick) -> None:
        if names:
            first = printable(os.fsencode(names[0]))
            self._share.origin(self._directory, {KIND: "textfile"}).say(
                f"more than {MOST_FILES} files; {first} and those after it are not read", tick.time_ms
            )
        elif whole := self._share.origins.get(self._directory):
            whole.leave()


class _File:
    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._filling = Filling(origin)
        self._stamp: _Stamp | None = None

    def look(self, path: str, tick: Tick) -> None:
        try:
            found = os.lstat(path)  # before it is opened: opening a device may do something
            self._tell_age(tick.time_ms / 1000 - found.st_mtime, tick.monotonic)
            stamp = found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
            if stamp != self._stamp:
                self._stamp = stamp
                self._filling.fill(_untimed(samples(_text(path, found))), tick.monotonic)
                self._origin.say(self._filling.not_kept, tick.time_ms)
        except (OSError, BadFile, BadExposition) as error:
            self._filling.clear(tick.monotonic)
            self._origin.say(
                (error.strerror or "not readable") if isinstance(error, OSError) else error.detail,
                tick.time_ms,
            )

    def vanish(self, now: float) -> None:
        self._filling.clear(now)
        self._tell_age(NAN, now)
        self._origin.leave()

    def _tell_age(self, seconds: float, now: float) -> None:
        place = self._origin.place(_AGE, now)
        if place is not None:
            place.value, place.used = seconds, now


def _text(path: str, found: os.stat_result) -> bytes:
    """Raises OSError or BadFile."""
    _check(found)
    handle = os.open(path, _FLAGS)
    try:
        _check(os.fstat(handle))  # it may be another one by now
        text = b""
        while len(text) <= MOST_BYTES and (part := os.read(handle, MOST_BYTES + 1)):
            text += part
    finally:
        os.close(handle)
    if len(text) > MOST_BYTES:
        raise BadFile(_TOO_LARGE)
    return text


def _check(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise BadFile("not a regular file")
    if found.st_size > MOST_BYTES:
        raise BadFile(_TOO_LARGE)


def _untimed(found: Iterable[Sample]) -> Iterator[Sample]:
    """As node_exporter has it: a figure that is left lying says nothing about the time at which it is read."""
    for one in found:
        if one.timed:
            raise BadExposition(one.line, "a timestamp, which a file cannot give")
        yield one
