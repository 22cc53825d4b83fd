"""What is bad in a document, and when nobody knows any more whether it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from pudim_collector.features.notices.rules import is_old, lasts, tally
from pudim_collector.features.notices.schemas import DOCUMENTS
from tests.collector.notices.documents import EVERY

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def document(kind: str, said: dict[str, Any]) -> Any:
    return msgspec.convert(said, DOCUMENTS[kind])


def ago(minutes: float | None) -> datetime | None:
    return None if minutes is None else NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("containers", (2, 1)),
        ("units", (2, 1)),
        ("checks", (2, 1)),
        ("disks", (2, 2)),
        ("custom", (1, 1)),
        ("facts", None),
        ("processes", None),
        ("policy", None),
    ],
)
def test_tally(kind: str, found: tuple[int, int] | None) -> None:
    assert tally(document(kind, EVERY[kind])) == found


@pytest.mark.parametrize(
    ("known", "bad"),
    [
        ({"devices": 2, "working": 2, "failed": 0}, 0),
        ({"devices": 2, "working": 1, "failed": 0}, 1),  # it was taken out
        ({"devices": 2, "working": 2, "failed": 1}, 1),  # a spare took its place
        ({}, 0),
    ],
)
def test_an_array_that_lacks_a_device_is_bad(known: dict[str, int], bad: int) -> None:
    assert tally(document("disks", {"arrays": [{"device": "md0", **known}]})) == (1, bad)


@pytest.mark.parametrize("state", ["restarting", "dead"])
def test_a_container_may_be_bad_without_a_health_check(state: str) -> None:
    assert tally(document("containers", {"containers": [{"id": "a", "state": state}]})) == (1, 1)


@pytest.mark.parametrize("state", ["running", "exited", "paused", None])
def test_a_container_that_merely_does_not_run_is_not_bad(state: str | None) -> None:
    assert tally(document("containers", {"containers": [{"id": "a", "state": state}]})) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "said", "lasting"),
    [
        ("containers", {"containers": [{"id": "a", "cpu": 0.5}]}, False),
        ("containers", {"containers": [{"id": "a", "state": "exited"}]}, True),
        ("containers", {"containers": []}, True),
        ("processes", EVERY["processes"], False),
        ("processes", {}, True),
        ("units", EVERY["units"], True),
        ("facts", EVERY["facts"], True),
    ],
)
def test_lasts(kind: str, said: dict[str, Any], lasting: bool) -> None:
    assert lasts(document(kind, said)) is lasting


@pytest.mark.parametrize(
    ("received", "seen", "opened", "lasting", "old"),
    [
        (4, 0, 60, False, False),
        (6, 0, 60, False, True),  # figures that stand still
        (50, 0, 60, True, False),  # unchanged, and the agent is there
        (50, 4, 60, True, False),
        (50, 6, 60, True, True),  # the agent is gone
        (50, 0, 40, True, True),  # not said again by the agent as it came back
        (4, 0, 1, True, False),  # which it may still do
        (50, None, None, True, True),
        (50, 0, None, True, False),
        (4, None, None, True, False),
    ],
)
def test_is_old(received: float, seen: float | None, opened: float | None, lasting: bool, old: bool) -> None:
    at = ago(received)
    assert at is not None
    assert is_old(at, ago(seen), ago(opened), NOW, lasting=lasting) is old
