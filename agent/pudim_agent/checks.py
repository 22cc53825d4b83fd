"""Runs the checks that the collector asks for, each at its interval and a few at once, also while the collector is away."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pudim.deadlines import happens_within
from pudim.wire.codec import pack, unpack
from pudim.wire.layouts import Labels, Series
from pudim.wire.messages import Checks
from pudim.wire.refusals import Malformed
from pudim_agent.clock import Clock
from pudim_agent.identity import write_private
from pudim_agent.notices import Notices
from pudim_agent.samplers import Reading, Tick, series
from pudim_agent.text import printable

if TYPE_CHECKING:
    from pudim.checks import Outcome, Spec, Surroundings

_log = logging.getLogger(__name__)
FILE = "checks"
NOTICE = "checks"
SOURCE = "checks"
MOST_CHECKS = 200
"""What comes beyond these is not run, and said so in the log."""
_DETAILS = 1 << 15
"""Characters of all details together, so that the notice stays within its bound in any script."""
_SOON = 5.0
"""Seconds within which a new check is run first, at a random moment."""
_JITTER = 0.1
"""The share of its interval by which a check's next run is moved about, so that no two stay in step."""
_IDLE = 3600.0
_DIGITS = 6


@dataclass(frozen=True)
class ChecksConfig:
    """The table `[checks]`: what this host lets checks do, whatever the collector asks for."""

    enabled: bool = field(default=True, metadata={"help": "Run the checks that the collector asks for."})
    at_once: int = field(
        default=8, metadata={"help": "Checks that run at the same time.", "low": 1, "high": 64}
    )
    networks: tuple[str, ...] = field(
        default=(), metadata={"help": "If any, checks connect to addresses in these networks only."}
    )
    folders: tuple[str, ...] = field(
        default=("/srv", "/var"), metadata={"help": "Where checks may look at the age and size of files."}
    )

    def faults(self) -> Iterable[str]:
        if self.networks:
            from pudim.checks.addresses import networks_of

            for number, one in enumerate(self.networks):
                try:
                    networks_of([one])
                except ValueError as error:  # noqa: PERF203 - every fault is told
                    yield f"networks[{number}]: {error}"
        for number, one in enumerate(self.folders):
            if not one.startswith("/"):
                yield f"folders[{number}]: must begin with /, not {one!r}"

    def around(self, clock: Clock, policy: Sequence[str] | None = None) -> Surroundings:
        """`policy` are the networks that the host's policy names, None where it says nothing of checks."""
        from pudim.checks import Surroundings
        from pudim.checks.addresses import Guard, networks_of

        return Surroundings(
            Guard(
                networks=networks_of(self.networks), policy=None if policy is None else networks_of(policy)
            ),
            wall=lambda: clock.now().wall_ms / 1000,
            timer=lambda: clock.now().monotonic,
            folders=self.folders,
        )


@dataclass
class _Planned:
    """A check, when it is due, and what its last run found; `spec` is None where it cannot be run."""

    document: Mapping[str, Any]
    row: dict[str, Any]
    spec: Spec | None = None
    due: float = 0.0
    series: tuple[Series, ...] = ()
    labels: Labels = ()
    fresh: Sequence[float] | None = None


class CheckRunner:
    """A sampler whose readings are the results since the tick before. `draw` gives numbers from 0 to 1.

    `policy` gives the networks that the host's policy names now, asked before each run.
    """

    def __init__(
        self,
        config: ChecksConfig,
        state_dir: Path,
        clock: Clock,
        notices: Notices,
        *,
        draw: Callable[[], float] = random.random,
        policy: Callable[[], Sequence[str] | None] = lambda: None,
    ) -> None:
        self._config, self._clock, self._notices, self._draw = config, clock, notices, draw
        self._path = state_dir / FILE
        self._policy = policy
        self._asked: Checks | None = None
        self._planned: dict[str, _Planned] = {}
        self._running: dict[str, asyncio.Future[None]] = {}
        self._changed = asyncio.Event()
        self._is_news = True

    # What the collector asks for

    def take(self, checks: Checks) -> None:
        """Run these from now on, and after a restart too."""
        if checks == self._asked:
            return
        self._plan(checks)
        try:
            write_private(self._path, pack([checks.revision, list(checks.checks)]))
        except OSError as error:
            _log.warning("the checks are not kept for the next start: %s", error)

    def _restore(self) -> None:
        try:
            revision, found, *_ = unpack(self._path.read_bytes())
            self._plan(Checks(int(revision), tuple(one for one in found if isinstance(one, dict))))
        except FileNotFoundError:
            return
        except (OSError, Malformed, ValueError, TypeError) as error:
            _log.warning("the checks of the last run cannot be read: %s", error)

    def _plan(self, checks: Checks) -> None:
        """What did not change goes on in its step; what is gone is ended."""
        self._asked, before, now = checks, self._planned, self._clock.now().monotonic
        if len(checks.checks) > MOST_CHECKS:
            _log.warning("%d checks are too many; the first %d are run", len(checks.checks), MOST_CHECKS)
        self._planned = {}
        for document in checks.checks[:MOST_CHECKS]:
            name = printable(str(document.get("id", "")).encode(errors="replace"))
            known = before.get(name)
            same = known is not None and known.document == document
            self._planned[name] = known if same and known else self._made(name, document, now)
        for name, run in self._running.items():
            if self._planned.get(name) is not before.get(name):
                run.cancel()
        self._is_news = True
        self._changed.set()

    def _made(self, name: str, document: Mapping[str, Any], now: float) -> _Planned:
        planned = _Planned(document, _row(name, "pending", "has not been run yet"))
        if not self._config.enabled:
            planned.row = _row(name, "not_permitted", "this host runs no checks")
            return planned
        from pudim.checks import all_figures
        from pudim.checks.reading import BadCheck, read

        try:
            spec = read(document)
        except BadCheck as error:
            planned.row = _row(name, error.code, error.detail)
            return planned
        planned.spec = spec
        planned.due = now + self._draw() * min(spec.interval, _SOON)
        planned.series = tuple(series(one.metric, dict(one.labels)) for one in all_figures(spec.kind))
        planned.labels = (("pudim.check.id", spec.id), ("pudim.check.kind", spec.kind))
        return planned

    # Running

    async def run(self) -> None:
        """Start what is due, until cancelled; what runs then is ended."""
        if self._asked is None:
            self._restore()
        try:
            while True:
                patience = self._start_due()
                await self._rest(patience)
        finally:
            runs = list(self._running.values())
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)

    def _start_due(self) -> float:
        """How long nothing more will be due. A check that still runs is not due again, and its place is taken."""
        now, patience = self._clock.now().monotonic, _IDLE
        for name, planned in sorted(self._planned.items(), key=lambda item: item[1].due):
            if planned.spec is None or name in self._running:
                continue
            if planned.due > now:
                return min(patience, planned.due - now)
            if len(self._running) >= self._config.at_once:
                return patience  # the end of one wakes us
            run = asyncio.ensure_future(self._attempt(planned, planned.spec))
            self._running[name] = run
            run.add_done_callback(partial(self._ended, name))
        return patience

    def _ended(self, name: str, run: asyncio.Future[None]) -> None:
        self._running.pop(name, None)
        self._changed.set()
        if not run.cancelled() and (error := run.exception()) is not None:
            _log.error("check %s failed", name, exc_info=error)

    async def _rest(self, patience: float) -> None:
        """Until something changed."""
        await happens_within(patience, self._changed)
        self._changed.clear()

    async def _attempt(self, planned: _Planned, spec: Spec) -> None:
        from pudim.checks import attempt, values

        around = self._config.around(self._clock, self._policy())
        started = self._clock.now().monotonic
        planned.due = started + spec.interval * (1 + _JITTER * (self._draw() - 0.5))
        outcome = await attempt(spec, around)
        planned.fresh = [round(one, _DIGITS) for one in values(spec.kind, outcome)]
        _note(planned.row, outcome, self._clock.now().wall_ms)
        self._is_news = True

    # What is told

    def sample(self, tick: Tick) -> Iterable[Reading]:
        """Each result once, at the tick after it; each check is a source, so that no frame tells of others."""
        if self._is_news:
            self._is_news = False
            self._notices.tell(NOTICE, tick.time_ms, self._document())
        for planned in self._planned.values():
            if planned.fresh is not None:
                values, planned.fresh = planned.fresh, None
                yield Reading(planned.series, values, SOURCE, planned.labels)

    def _document(self) -> dict[str, Any]:
        most = min(256, _DETAILS // max(len(self._planned), 1))
        rows = [
            {**one.row, "detail": printable(one.row["detail"].encode(errors="replace"), most)}
            for one in self._planned.values()
        ]
        return {"revision": self._asked.revision if self._asked else 0, "checks": rows}


def _row(name: str, code: str, detail: str) -> dict[str, Any]:
    return {
        "id": name,
        "status": "unknown",
        "since": None,
        "at": None,
        "duration": None,
        "detail": detail,
        "code": code,
    }


def _note(row: dict[str, Any], outcome: Outcome, at_ms: int) -> None:
    status = outcome.status.value
    if row["since"] is None or row["status"] != status:
        row["since"] = at_ms
    took = round(outcome.duration, _DIGITS)
    row.update(
        status=status,
        at=at_ms,
        duration=took if took == took else None,  # noqa: PLR0124 - NaN is not known
        detail=outcome.detail,
        code=outcome.code,
    )
