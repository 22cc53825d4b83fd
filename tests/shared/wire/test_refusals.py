"""A refusal's code is part of the protocol: codes are unique, stay what they are, and say whether to try again."""

from __future__ import annotations

import re

import pytest

from pudim.wire.refusals import BY_CODE, BatchRefusal, Refusal

RETRIED = {"busy", "clock_skew", "counter_gap", "sequence_gap", "store_unavailable", "superseded"}
"""Agents in the field come back after these: a code never leaves this list."""


def family(root: type[Refusal]) -> list[type[Refusal]]:
    return [root] + [found for child in root.__subclasses__() for found in family(child)]


def test_every_refusal_is_found_by_its_own_code() -> None:
    ours = [one for one in family(Refusal) if one.__module__.startswith("pudim.wire")]
    assert {one.code: one for one in ours} == BY_CODE
    assert len(ours) == len(BY_CODE), "two refusals share a code"


@pytest.mark.parametrize("refusal", BY_CODE.values(), ids=list(BY_CODE))
def test_a_refusal_says_all_it_should(refusal: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", refusal.code)
    assert refusal.__doc__
    assert 400 <= refusal.status < 600
    assert len(refusal.code) <= 123, "it must fit a websocket's close reason"
    assert refusal().detail == refusal.__doc__.splitlines()[0]


def test_what_agents_retry_stays_so() -> None:
    assert {code for code, one in BY_CODE.items() if one.retry} == RETRIED


def test_only_a_refused_batch_leaves_the_session_open() -> None:
    assert {one for one in BY_CODE.values() if not one.ends_session} == set(family(BatchRefusal))
