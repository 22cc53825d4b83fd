"""The port of the sampler family: each driver reads one part of the host at every tick.

A sampler is one file with one class under `@samplers.register("name")`, whose nested `Config` dataclass is the
table `[samplers.name]` of the agent's configuration. It is made with a `Host` and that `Config`.

`sample` is called on the event loop and holds up everything else, so it only reads what answers at once. What has
to listen or to wait for others (a socket, a program, a server) does so in `run`, see `Running`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from pudim.vocabulary.metrics import METRICS
from pudim.vocabulary.registry import Registry
from pudim.wire.layouts import Labels, Series, labels_of
from pudim_agent.custom.census import Census
from pudim_agent.notices import Notices
from pudim_agent.schedule import Tick
from pudim_agent.storage import Storage

__all__ = [
    "Host",
    "Labels",
    "Reading",
    "Running",
    "Sampler",
    "SamplerConfig",
    "Sampling",
    "Series",
    "Tick",
    "Vitals",
    "samplers",
    "series",
]


class Reading(NamedTuple):
    """Values of a source at one tick.

    `series` must be the same object from tick to tick as long as nothing appeared or vanished: that is how a
    tick costs only its values. What the sampler does not know is NaN. All readings of one source are joined.
    """

    series: tuple[Series, ...]
    values: Sequence[float]
    source: str = "host"
    labels: Labels = ()
    part: int = 0
    """Readings of one source are joined if they are of one part; others make frames, and layouts, of their own."""


@dataclass
class Vitals:
    """What the agent knows about itself; the loop and the stream write, the `self` sampler reads."""

    sample_seconds: float = float("nan")
    spool_bytes: int = 0
    spool_batches: int = 0
    lost_batches: int = 0
    thinned_batches: int = 0
    sampler_errors: int = 0
    missed_ticks: int = 0
    clock_jumps: int = 0


@dataclass(frozen=True)
class Host:
    """Where a sampler reads; tests point it at trees of files."""

    proc: str = "/proc"
    sys: str = "/sys"
    run: str = "/run"
    programs: str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
    """Where programs are looked for: not in PATH, which whoever starts the agent by hand may have set to anything."""
    netlink: bool = True
    """Whether the kernel may be asked for what no file under `proc` tells."""
    statvfs: Callable[[str], os.statvfs_result] = os.statvfs
    vitals: Vitals = field(default_factory=Vitals)
    notices: Notices = field(default_factory=Notices)
    """Where a sampler tells what is no number: names, states, command lines."""
    storage: Storage = field(default_factory=Storage)
    custom: Census = field(default_factory=Census)
    """How many series other programs may bring."""

    def read(self, path: str) -> bytes:
        """A file under /proc. Raises OSError."""
        return read(f"{self.proc}/{path}")


def read(path: str) -> bytes:
    """A whole small file, without the buffers and locale work of `open()`."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(handle, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(handle)


@dataclass(frozen=True)
class SamplerConfig:
    """What every sampler's table may say."""

    enabled: bool = True

    def faults(self) -> Iterable[str]:
        """What is wrong although each value is of its type, each beginning with the option's name."""
        return ()


class Sampling(Protocol):
    """What is asked at every tick."""

    def sample(self, tick: Tick, /) -> Iterable[Reading]:
        """Whatever it raises costs this sampler its values of this tick, and nobody else's."""
        ...


class Sampler(Sampling, Protocol):
    Config: ClassVar[type[SamplerConfig]]

    def __init__(self, host: Host, config: Any, /) -> None: ...


@runtime_checkable
class Running(Protocol):
    """What a sampler also is when it has work beside being sampled: it listens, fetches, or asks slow programs."""

    async def run(self) -> None:
        """The work, on the loop that samples; it must never block. `sample` reads what it has found so far.

        It is cancelled when the agent ends, and closes then what it opened. Whatever it raises is logged and it is
        started again, after 1 s and then ever more slowly up to 60 s. Returning means that there is nothing to do.
        """
        ...


def series(metric: str, labels: Mapping[str, str] | None = None) -> Series:
    """A series of a metric in the vocabulary's table."""
    return Series(metric, METRICS[metric].unit, labels_of(labels or {}))


samplers: Registry[type[Sampler]] = Registry(__name__, "pudim.samplers")
