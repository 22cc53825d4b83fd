"""When a mail that was not taken is tried again, and when it is given up: values in, decision out."""

from __future__ import annotations

from datetime import datetime, timedelta

MOST_ATTEMPTS = 12
FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=30), timedelta(hours=2)
LIFE = timedelta(days=2)
"""Of a mail that says nothing else."""
DEAD_KEPT = timedelta(days=14)
LEASE = timedelta(minutes=5)
"""Longer than any conversation with a mail server takes."""


def next_try(attempts: int, now: datetime, expires_at: datetime) -> datetime | None:
    """After so many attempts; None where it is given up. Without chance: one mail a claim, so that nothing comes in step."""
    if attempts >= MOST_ATTEMPTS:
        return None
    at = now + min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(attempts - 1, MOST_ATTEMPTS))
    return at if at < expires_at else None
