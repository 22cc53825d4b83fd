"""Series keep their places; however they trickle in, few layouts are declared and none twice at a time."""

from __future__ import annotations

from collections import Counter
from math import log2

from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.layouts import Series
from pudim_agent.custom.places import WIDTH, Place, Shelves


def one(number: int) -> Series:
    return Series(f"m{number}", "")


def add(shelves: Shelves, *numbers: int) -> list[Place]:
    return [shelves.add(one(number), 0.0) for number in numbers]


def test_those_that_come_together_stand_together() -> None:
    shelves = Shelves()
    add(shelves, *range(300))
    assert [len(shelf.places) for shelf in shelves.settled()] == [WIDTH, WIDTH, 300 - 2 * WIDTH]


def test_nothing_new_leaves_every_shelf_as_it_is() -> None:
    shelves = Shelves()
    add(shelves, 1, 2)
    (before,) = shelves.settled()
    (after,) = shelves.settled()
    assert before.series is after.series
    assert before.number == after.number


def test_a_trickle_is_declared_seldom() -> None:
    shelves = Shelves()
    declared: Counter[Series] = Counter()
    known: set[int] = set()
    for number in range(1000):
        add(shelves, number)
        for shelf in shelves.settled():
            if shelf.number not in known:
                known.add(shelf.number)
                declared.update(shelf.series)
    assert max(declared.values()) <= log2(WIDTH) + 1
    assert len(shelves.settled()) <= 1000 / WIDTH + log2(WIDTH)


def test_a_shelf_that_lost_most_is_made_anew() -> None:
    shelves = Shelves()
    places = add(shelves, *range(10))
    (before,) = shelves.settled()
    shelves.remove(places[:5])
    assert shelves.settled() == [before]
    shelves.remove(places[5:6])
    (after,) = shelves.settled()
    assert after.places == tuple(places[6:])
    assert len(shelves) == 4


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 400), max_size=60)), max_size=12))
def test_each_series_has_exactly_one_place(steps: list[tuple[bool, set[int]]]) -> None:
    shelves = Shelves()
    for adding, numbers in steps:
        if adding:
            add(shelves, *(number for number in numbers if shelves.get(one(number)) is None))
        else:
            shelves.remove([found for number in numbers if (found := shelves.get(one(number)))])
        standing = [place for shelf in shelves.settled() for place in shelf.places if not place.gone]
        assert Counter(standing) == Counter(shelves)
        assert all(len(shelf.places) <= WIDTH for shelf in shelves.settled())
        assert all(place.gone or shelves.get(place.series) is place for place in standing)
