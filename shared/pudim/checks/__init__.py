"""The port of the check family: each driver asks once whether something works, from an agent or the collector.

A check is one file with one class under `@checks.register("kind")`, whose nested `Config` dataclass says what can be
set: each field is a `setting(...)` with its label, its help and whether it is secret, so that forms, validation and the
reference page are made from it. Whatever a driver needs of the machine it runs on comes in `Surroundings`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, NamedTuple, Protocol

from pudim.checks.addresses import Guard
from pudim.deadlines import within
from pudim.vocabulary.registry import Registry

NAN = float("nan")
LONGEST_DETAIL = 256
SHORTEST_INTERVAL, LONGEST_INTERVAL = 5.0, 86_400.0
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 0.1, 120.0


class Status(Enum):
    """Unknown is what the check could not find out: neither fine nor broken."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


class Figure(NamedTuple):
    """A metric of the vocabulary, and the labels that tell a check's values of it apart."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What one run found; `duration` in seconds. `code` is stable, `detail` for people and hostile in HTML."""

    status: Status
    duration: float
    detail: str
    code: str = "ok"
    figures: Mapping[Figure, float] = field(default_factory=dict)


class NotUp(Exception):
    """Ends a run with what was found instead; `figures` are those that are known all the same."""

    found: ClassVar[Status]

    def __init__(self, code: str, detail: str, figures: Mapping[Figure, float] | None = None) -> None:
        super().__init__(detail)
        self.code, self.detail, self.figures = code, detail, figures or {}


class Down(NotUp):
    found = Status.DOWN


class Unknown(NotUp):
    found = Status.UNKNOWN


class Resolve(Protocol):
    async def __call__(self, host: str) -> list[str]:
        """The addresses of a name, best first. Raises OSError (socket.gaierror)."""
        ...


async def system_resolve(host: str) -> list[str]:
    """As every program of this machine finds it: /etc/hosts, then DNS."""
    import socket

    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class Surroundings:
    """Where a check runs. `wall` is the time in seconds since 1970; `folders` are where it may look at files."""

    guard: Guard
    wall: Callable[[], float]
    timer: Callable[[], float] = time.monotonic
    resolve: Resolve = system_resolve
    proc: str = "/proc"
    resolv_conf: str = "/etc/resolv.conf"
    folders: tuple[str, ...] = ()


class Check(Protocol):
    Config: ClassVar[type[Any]]
    title: ClassVar[str]
    help: ClassVar[str]
    figures: ClassVar[tuple[Figure, ...]]
    """All that a run may know, in the order in which they are told."""
    silence: ClassVar[Status]
    """What it means when a run is not done in time: down where another machine owes an answer."""

    def __init__(self, config: Any, /) -> None: ...

    @staticmethod
    def faults(config: Any, /) -> Iterable[tuple[str, str]]:
        """What is wrong with settings beyond the type and bounds of each: field and words."""
        ...

    async def run(self, around: Surroundings, timeout: float, /) -> Outcome:
        """Raises Down or Unknown; may be cancelled at any time, and leaves nothing open."""
        ...


def setting(
    label: str,
    help: str,  # noqa: A002 - the word of the family
    default: Any = None,
    *,
    required: bool = False,
    secret: bool = False,
    low: float | None = None,
    high: float | None = None,
    longest: int = 1024,
    choices: tuple[str, ...] = (),
    lines: bool = False,
) -> Any:
    """A field of a `Config`. `longest` bounds texts, and each text of a list; `lines` asks for a larger box."""
    about = {
        "label": label,
        "help": help,
        "required": required,
        "secret": secret,
        "low": low,
        "high": high,
        "longest": longest,
        "choices": choices,
        "lines": lines,
    }
    return field(metadata=about) if required else field(default=default, metadata=about)


@dataclass(frozen=True)
class Spec:
    """One check as it is to be run: every `interval` seconds, each run ended after `timeout`."""

    id: str
    kind: str
    interval: float
    timeout: float
    config: Any


async def attempt(spec: Spec, around: Surroundings) -> Outcome:
    """One run, always with an outcome: a driver's own failure is unknown, and nobody else's."""
    started = around.timer()
    kind = checks[spec.kind]
    try:
        async with within(spec.timeout):
            return await kind(spec.config).run(around, spec.timeout)
    except asyncio.TimeoutError:
        return Outcome(
            kind.silence, around.timer() - started, f"not done within {spec.timeout:g} s", "timeout"
        )
    except NotUp as found:
        return Outcome(found.found, around.timer() - started, found.detail, found.code, found.figures)
    except Exception as error:  # noqa: BLE001 - a plugin may fail in any way; the others go on
        return Outcome(Status.UNKNOWN, NAN, f"{type(error).__name__}: {error}", "check_failed")


def all_figures(kind: str) -> tuple[Figure, ...]:
    """What every run tells, then what this kind tells beside it. Raises KeyError."""
    return (Figure("pudim.check.up"), Figure("pudim.check.duration"), *checks[kind].figures)


def values(kind: str, outcome: Outcome) -> list[float]:
    """The values of `all_figures`; NaN for what is not known. Raises KeyError."""
    up = {Status.UP: 1.0, Status.DOWN: 0.0, Status.UNKNOWN: NAN}[outcome.status]
    return [up, outcome.duration, *(outcome.figures.get(one, NAN) for one in checks[kind].figures)]


checks: Registry[type[Check]] = Registry(__name__, "pudim.checks")
