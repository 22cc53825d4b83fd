"""Caps hold, known series go on, what is to blame is named, and idle places make room."""

from __future__ import annotations

from typing import Any

from pudim.wire.layouts import Series, labels_of
from pudim_agent.custom.census import DAY, HOUR, Census, Origin
from pudim_agent.custom.names import NotKept, kept_labels, kept_name
from pudim_agent.notices import Notices


def hits(user: int) -> Series:
    return Series("hits", "", labels_of({"user": str(user), "method": "get"}))


def filled(origin: Origin, wanted: list[Series], now: float = 0.0) -> int:
    """How many of them have a place, each with a value now."""
    found = [place for one in wanted if (place := origin.place(one, now))]
    for place in found:
        place.value, place.used = 1.0, now
    return len(found)


def told(census: Census, now: float = 0.0) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []

    class Listening(Notices):
        def tell(self, kind: str, at_ms: int, document: dict[str, Any]) -> None:
            assert kind == "custom"
            said.extend(document["sources"])

    census.look(now, int(now * 1000), Listening())
    return said


def test_known_series_go_on_and_new_ones_are_counted_and_blamed() -> None:
    census = Census()
    origin = census.share("statsd", 100).origin("statsd", {})
    origin.say(None, 7)
    assert filled(origin, [Series("good", "")]) == 1
    assert filled(origin, [hits(user) for user in range(150)]) == 99
    assert filled(origin, [Series("good", ""), hits(3)]) == 2
    (found,) = told(census)
    assert found["series"] == 100
    assert found["dropped"] == 51
    assert found["offender"] == "'hits' has 150 series, and its label 'user' 131 values"
    assert (found["kind"], found["name"], found["error"], found["at"]) == ("statsd", "statsd", None, 7)


def test_who_came_late_is_blamed_although_it_has_no_place() -> None:
    census = Census()
    origin = census.share("scrape", 10).origin("node", {})
    origin.say(None, 0)
    filled(origin, [Series(f"fine{number}", "") for number in range(10)])
    filled(origin, [hits(user) for user in range(40)])
    (found,) = told(census)
    assert found["offender"] == "'hits' has 40 series, and its label 'user' 32 values"


def test_all_ways_together_have_an_end() -> None:
    census = Census(most=30)
    one, other = (census.share(kind, 25).origin(kind, {}) for kind in ("scrape", "statsd"))
    for origin in (one, other):
        origin.say(None, 0)
    assert filled(one, [hits(user) for user in range(20)]) == 20
    assert filled(other, [Series(f"m{number}", "") for number in range(20)]) == 10
    by_kind = {found["kind"]: found for found in told(census)}
    assert by_kind["statsd"]["dropped"] == 10
    assert by_kind["statsd"]["offender"].startswith("'hits' has 20 series")
    assert by_kind["scrape"]["offender"] is None


def test_a_place_without_a_value_for_an_hour_makes_room() -> None:
    origin = Census().share("statsd", 10).origin("statsd", {})
    filled(origin, [hits(user) for user in range(10)])
    for place in list(origin.shelves)[:4]:
        place.value = float("nan")
    assert filled(origin, [hits(20)], HOUR - 1) == 0
    assert filled(origin, [hits(20)], HOUR + 100) == 1
    assert len(origin.shelves) == 7


def test_after_a_day_it_is_given_up_anyway() -> None:
    census = Census()
    share = census.share("textfile", 10)
    origin = share.origin("x.prom", {})
    told(census, 0)
    assert share.origins  # nothing came yet
    filled(origin, [hits(1)])
    told(census, DAY + 1)
    assert len(origin.shelves) == 1  # it has a value still
    next(iter(origin.shelves)).value = float("nan")
    told(census, 2 * DAY)
    assert len(origin.shelves) == 0
    assert share.origins
    origin.leave()
    told(census, 3 * DAY)
    assert share.origins == {}


def test_blame_is_forgotten_after_an_hour() -> None:
    census = Census()
    origin = census.share("statsd", 1).origin("statsd", {})
    origin.say(None, 0)
    filled(origin, [hits(1), hits(2)])
    assert told(census)[0]["dropped"] == 1
    (found,) = told(census, HOUR + 60)
    assert (found["dropped"], found["offender"]) == (0, None)


def test_what_is_told_is_bounded_and_worst_first() -> None:
    census = Census()
    share = census.share("textfile", 1000)
    for number in range(150):
        share.origin(f"{number}\x1b.prom", {}).say("bad\n" * 200 if number == 120 else None, 1)
    found = told(census)
    assert len(found) == 100
    assert found[0]["name"] == "120\ufffd.prom"
    assert len(found[0]["error"]) == 256
    assert "\n" not in found[0]["error"]


def test_names_like_the_agents_own_get_a_prefix() -> None:
    assert kept_name("system.cpu.utilization") == "custom.system.cpu.utilization"
    assert kept_name("pudim.agent.spool.count") == "custom.pudim.agent.spool.count"
    assert kept_name("container.x") == "custom.container.x"
    assert kept_name("process") == "custom.process"
    assert kept_name("process_cpu_seconds_total") == "process_cpu_seconds_total"
    assert kept_name("shop.orders") == "shop.orders"


def test_labels_of_ours_are_renamed_and_hostile_ones_harmless() -> None:
    kept = kept_labels([("job", "x"), ("pudim.sender", "y"), ("a", ""), ("b", "\x1b")], (("job", "node"),))
    assert dict(kept) == {"exported_job": "x", "exported_pudim.sender": "y", "b": "\ufffd"}


def test_what_cannot_be_kept_is_refused() -> None:
    refused = 0
    for pairs in (
        [("a", "x" * 257)], [("x" * 257, "a")], [("a\n", "b")], [("a", "1"), ("a", "2")],
        [(f"l{number}", "x") for number in range(25)],
    ):  # fmt: skip
        try:
            kept_labels(pairs)
        except NotKept:
            refused += 1
    for name in ("", "a\x00b", "x" * 300):
        try:
            kept_name(name)
        except NotKept:
            refused += 1
    assert refused == 8
