"""Asks a web server for a page and judges what it answers: status, text, time, certificate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pudim.checks import Down, Figure, NotUp, Outcome, Status, Surroundings, checks, setting
from pudim.checks.certificates import REMAINING, authority_faults, too_short
from pudim.checks.connecting import Phases, phase
from pudim.checks.http_client import MOST_BODY, Answer, Request, Target, ask, follow, target_of
from pudim.checks.matching import LONGEST_PATTERN, is_found, pattern_fault

CODE = Figure("pudim.check.http.status_code")
METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")
_RANGE = re.compile(r"([1-5][0-9][0-9])(?:-([1-5][0-9][0-9]))?|([1-5])xx")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}):[ \t]*([^\x00-\x1f\x7f]{0,4096})")
_OURS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "expect", "te", "trailer"}
)
_LEADING = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})


@dataclass(frozen=True)
class HttpConfig:
    url: str = setting("Address", "Such as https://example.org/health.", required=True, longest=2048)
    method: str = setting("Method", "What is asked with.", "GET", choices=METHODS)
    statuses: tuple[str, ...] = setting(
        "Statuses that are fine", "Such as 200, 200-299 or 2xx.", ("200-399",), longest=16
    )
    contains: str = setting("Must contain", "A text that the page must have.", "", lines=True)
    lacks: str = setting("Must not contain", "A text that the page must not have.", "", lines=True)
    matches: str = setting(
        "Must match", "A regular expression that must match somewhere.", "", longest=LONGEST_PATTERN
    )
    headers: tuple[str, ...] = setting(
        "Headers",
        "One a line, as Name: value. Not sent to another host.",
        (),
        secret=True,
        longest=4096,
        lines=True,
    )
    body: str = setting(
        "Body", "What is sent with POST and PUT.", "", secret=True, longest=16_384, lines=True
    )
    redirects: int = setting("Redirects to follow", "0 judges the first answer.", 5, low=0, high=10)
    verify: bool = setting("Verify the certificate", "Down when it is not trusted.", True)
    least_days: float = setting(
        "Days a certificate must hold",
        "Down when it ends sooner. 0 asks only that it holds now.",
        0.0,
        low=0,
        high=3650,
    )
    ca: str = setting(
        "Own authority",
        "Certificates in PEM to trust in place of the system's.",
        "",
        longest=65_536,
        lines=True,
    )


@checks.register("http")
class Http:
    Config = HttpConfig
    title = "Web page"
    help = "Asks for a page by HTTP and judges its status, text and certificate."
    figures = (CODE, *map(phase, ("resolve", "connect", "tls", "wait", "receive")), REMAINING)
    silence = Status.DOWN

    def __init__(self, config: HttpConfig) -> None:
        self._config = config

    @staticmethod
    def faults(config: HttpConfig) -> Iterable[tuple[str, str]]:
        try:
            target_of(config.url)
        except ValueError as error:
            yield "url", str(error)
        if not config.statuses or not all(_RANGE.fullmatch(one) for one in config.statuses):
            yield "statuses", "must be such as 200, 200-299 or 2xx"
        if config.matches and (words := pattern_fault(config.matches)):
            yield "matches", words
        if config.body and config.method not in {"POST", "PUT"}:
            yield "body", "goes with POST and PUT only"
        if config.method == "HEAD" and (config.contains or config.matches):
            yield "method", "brings no text that could be looked at"
        yield from _header_faults(config.headers)
        yield from authority_faults(config.ca)

    async def run(self, around: Surroundings, timeout: float) -> Outcome:
        phases = Phases(around.timer)
        figures: dict[Figure, float] = {}
        try:
            answer = await self._asked(around, phases, timeout)
        except NotUp as found:
            phases.end()
            found.figures = {**phases.figures(), **found.figures}
            raise
        took = phases.total
        figures.update(phases.figures())
        figures[CODE] = float(answer.status)
        if answer.until is not None:
            figures[REMAINING] = answer.until - around.wall()
        await self._judge(answer, around.wall(), figures)
        return Outcome(Status.UP, took, f"HTTP {answer.status}", figures=figures)

    async def _asked(self, around: Surroundings, phases: Phases, timeout: float) -> Answer:
        config, target = self._config, target_of(self._config.url)
        looks = bool(config.contains or config.lacks or config.matches)
        request = Request(
            config.method, dict(_pairs(config.headers)), config.body.encode(), config.verify, config.ca, looks
        )
        for _ in range(config.redirects + 1):
            answer = await ask(target, request, around, phases, timeout)
            location = answer.headers.get("location")
            if not config.redirects or answer.status not in _LEADING or location is None:
                return answer
            ahead = follow(target, location)
            request, target = _led(request, answer.status, target, ahead), ahead
        raise Down("too_many_redirects", f"the server leads on more than {config.redirects} times")

    async def _judge(self, answer: Answer, wall: float, figures: dict[Figure, float]) -> None:
        config = self._config
        if not any(_fits(answer.status, one) for one in config.statuses):
            raise Down("status", f"HTTP {answer.status}, not {', '.join(config.statuses)}", figures)
        text = answer.body.decode(errors="replace")
        seen = f" in its first {MOST_BODY} bytes" if answer.is_cut else ""
        if config.contains and config.contains not in text:
            raise Down("text_missing", f"the page does not contain the text{seen}", figures)
        if config.lacks and config.lacks in text:
            raise Down("text_present", "the page contains what it must not", figures)
        if config.matches and not await is_found(config.matches, text):
            raise Down("no_match", f"the page does not match{seen}", figures)
        if answer.until is not None and config.verify:
            fault = too_short(answer.until, wall, config.least_days, figures)
            if fault is not None:
                raise fault


def _led(request: Request, status: int, target: Target, ahead: Target) -> Request:
    """The request to where a redirect leads. Headers and body may be secret, so another origin gets neither."""
    if status not in _KEEPS_METHOD and request.method not in {"GET", "HEAD"}:
        request = replace(request, method="GET", body=b"")
    return request if target.origin == ahead.origin else replace(request, headers={}, body=b"")


def _fits(status: int, wanted: str) -> bool:
    found: Any = _RANGE.fullmatch(wanted)
    if found[3]:
        return status // 100 == int(found[3])
    return int(found[1]) <= status <= int(found[2] or found[1])


def _pairs(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    for one in headers:
        if found := _HEADER.fullmatch(one.strip()):
            yield found[1], found[2].rstrip()


def _header_faults(headers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if len(headers) != len(list(_pairs(headers))):
        yield "headers", "must be lines of Name: value"
    for name, _ in _pairs(headers):
        if name.lower() in _OURS:
            yield "headers", f"{name} is set by the check itself"
