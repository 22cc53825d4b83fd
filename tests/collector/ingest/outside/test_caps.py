"""Who has too many series, and what is said to be to blame."""

from uuid import UUID

import pytest

from pudim.wire.layouts import Labels, Series, labels_of
from pudim_collector.infra.auth import Sender
from pudim_collector.infra.database import database
from pudim_collector.ingest.outside.caps import DAY_MS, Census, blame
from pudim_collector.series.shelves import SENDER, Owner, Shelves, Shelving
from pudim_collector.series.store import Store

NOW = 1_700_000_000_000
LAB = Sender(UUID(int=1), UUID(int=2), "lab", 10, 5)


def series(metric: str, number: int, target: Labels = (), **labels: str) -> list[tuple[Labels, Series]]:
    """So many series that differ in `n`."""
    return [(target, Series(metric, "", labels_of({**labels, "n": str(one)}))) for one in range(number)]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "it has none"),
        (series("a", 1), "'a' has 1"),
        (series("a", 3) + series("b", 4, code="200"), "'b' has 4, and its label 'n' 4 values"),
        (
            [one for pod in range(5) for one in series("a", 2, (("pod", f"p{pod}"),))],
            "'a' has 10, and its label 'pod' 5 values",
        ),
        (series("m" * 256, 2), f"'{'m' * 256}' has 2, and its label 'n' 2 values"),
        (series("\x1b[2J", 2), "'\\x1b[2J' has 2, and its label 'n' 2 values"),
    ],
)
def test_the_metric_with_the_most_series_and_its_label_with_the_most_values(
    found: list[tuple[Labels, Series]], words: str
) -> None:
    assert blame(found) == words


@pytest.fixture
def shelving() -> Shelving:
    return Shelving(database, Store(database))


def stocked(shelving: Shelving, sender: str, number: int, *, used: int) -> Shelves:
    owner = Owner(UUID(int=number), "otlp", ((SENDER, sender),))
    shelves = shelving._known.setdefault(owner, Shelves(owner))
    shelves.put(number, [one for _, one in series("a", number)], used)
    return shelves


def test_room_is_what_is_left(shelving: Shelving) -> None:
    stocked(shelving, "lab", 4, used=NOW)
    stocked(shelving, "other", 9, used=NOW)
    census = Census("lab", shelving)
    assert census.room(LAB, 3, NOW) == 3
    census.added(3)
    assert census.sent_since(NOW) == 4
    stocked(shelving, "lab", 3, used=NOW)
    assert [census.room(LAB, wanted, NOW) for wanted in (3, 4, 100)] == [3, 3, 3]


def test_what_was_not_sent_for_a_day_gives_its_room_back(shelving: Shelving) -> None:
    shelves = stocked(shelving, "lab", 10, used=NOW)
    census = Census("lab", shelving)
    assert census.room(LAB, 1, NOW + DAY_MS) == 0
    shelves.all[0].used[:3] = NOW + 1
    assert census.room(LAB, 100, NOW + DAY_MS + 1) == 7


def test_a_sender_whose_cap_was_lowered_gets_nothing_new(shelving: Shelving) -> None:
    stocked(shelving, "lab", 20, used=NOW)
    assert Census("lab", shelving).room(LAB, 1, NOW) == 0


def test_blame_counts_what_was_refused_and_is_not_looked_for_at_each_request(shelving: Shelving) -> None:
    stocked(shelving, "lab", 2, used=NOW)
    census = Census("lab", shelving)
    first = census.refusal(LAB, series("flood", 5), NOW).detail
    assert first == "'lab' may have 10 series; 'flood' has 5, and its label 'n' 5 values"
    assert census.refusal(LAB, series("other", 50), NOW + 29_000).detail == first
    assert "'other' has 50" in census.refusal(LAB, series("other", 50), NOW + 30_000).detail
