"""Whether an answer is one that the kept description knows: asked of all that the tests' clients get from a collector."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import httpx

from tests.collector.conventions.frozen import FROZEN


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """The plainest first, so that `/audit/settings` is not taken for `/audit/{sequence}`."""
    paths = json.loads(FROZEN.read_text(encoding="utf-8"))["paths"]
    return [
        (re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))), item)
        for path, item in sorted(paths.items(), key=lambda one: one[0].count("{"))
    ]


def statuses_of(method: str, path: str) -> frozenset[int] | None:
    """Those that are described; None for what the description does not tell of."""
    for pattern, item in _paths():
        if pattern.fullmatch(path):
            said = item.get(method.lower())
            return None if said is None else frozenset(int(status) for status in said["responses"])
    return None


async def as_described(answer: httpx.Response) -> None:
    """For a client's hooks: an answer's status is one that its operation says it may have."""
    asked = answer.request
    known = statuses_of(asked.method, asked.url.path)
    assert known is None or answer.status_code in known, (
        f"{asked.method} {asked.url.path} answered {answer.status_code}, which is not described:"
        " say it by refuses(...) beside the route's permission"
    )
