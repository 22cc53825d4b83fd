"""What is said of a server, and when an enrolment token counts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.refusals import EnrolmentTokenExpired, EnrolmentTokenUsed
from pudim_collector.features.servers.rules import SILENT_AFTER, ServerState, check_token, name_of, state

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
times = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (None, ServerState.WAITING),
        (timedelta(), ServerState.LIVE),
        (-timedelta(minutes=1), ServerState.LIVE),
        (SILENT_AFTER, ServerState.LIVE),
        (SILENT_AFTER + INSTANT, ServerState.SILENT),
        (timedelta(days=400), ServerState.SILENT),
    ],
)
def test_a_server_is_live_while_its_frames_arrive(age: timedelta | None, expected: ServerState) -> None:
    seen = None if age is None else NOW - age
    assert state(seen, revoked=False, now=NOW) is expected
    assert state(seen, revoked=True, now=NOW) is ServerState.REVOKED


@given(st.none() | times, st.booleans(), times)
def test_live_is_said_of_nothing_unseen_old_or_revoked(
    seen: datetime | None, revoked: bool, now: datetime
) -> None:
    if state(seen, revoked=revoked, now=now) is ServerState.LIVE:
        assert seen is not None
        assert not revoked
        assert now - seen <= SILENT_AFTER


@pytest.mark.parametrize(
    ("left", "used", "refusal"),
    [
        (INSTANT, False, None),
        (timedelta(), False, EnrolmentTokenExpired),
        (-timedelta(days=1), False, EnrolmentTokenExpired),
        (timedelta(hours=1), True, EnrolmentTokenUsed),
        (-timedelta(hours=1), True, EnrolmentTokenUsed),
    ],
)
def test_a_token_counts_once_and_until_it_expires(
    left: timedelta, used: bool, refusal: type[Exception] | None
) -> None:
    used_at = NOW - timedelta(minutes=1) if used else None
    if refusal is None:
        check_token(expires_at=NOW + left, used_at=used_at, now=NOW)
        return
    with pytest.raises(refusal) as raised:
        check_token(expires_at=NOW + left, used_at=used_at, now=NOW)
    assert type(raised.value) is refusal


@given(times, st.none() | times, times)
def test_a_token_passes_only_unused_and_early(
    expires: datetime, used: datetime | None, now: datetime
) -> None:
    try:
        check_token(expires_at=expires, used_at=used, now=now)
    except (EnrolmentTokenUsed, EnrolmentTokenExpired):
        return
    assert used is None
    assert now < expires


@pytest.mark.parametrize(
    ("wanted", "host", "name"),
    [
        ("web-1", "ip-10-0-0-1", "web-1"),
        (" web-1 \n", "ip-10-0-0-1", "web-1"),
        (None, "ip-10-0-0-1", "ip-10-0-0-1"),
        ("  ", "\tip-10-0-0-1\n", "ip-10-0-0-1"),
        (None, " \n", "the-id"),
        ("", None, "the-id"),
        (None, None, "the-id"),
    ],
)
def test_a_server_always_has_a_name_that_can_be_seen(wanted: str | None, host: str | None, name: str) -> None:
    assert name_of(wanted, host, "the-id") == name
