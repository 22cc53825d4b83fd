"""Label selectors: what they mean in plain Python, what PostgreSQL makes of them, and where a faulty one is faulty."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pudim_collector.infra.api.selectors import (
    LONGEST_SELECTOR,
    MOST_TERMS,
    MOST_VALUES,
    BadSelectorError,
    Demand,
    Selector,
    Term,
    parse_selector,
)
from pudim_collector.infra.database import database
from tests.collector.app.site import Site

PROD = ["env=prod", "tier=web", "team=a", "backup"]
OLD = ["env=prod", "env=staging", "tier=db", "legacy"]
BARE: list[str] = []


@pytest.mark.parametrize(
    ("text", "prod", "old", "bare"),
    [
        ("", True, True, True),
        ("  ", True, True, True),
        ("env=prod", True, True, False),
        ("env==prod", True, True, False),
        (" env = prod ", True, True, False),
        ("env=prod,tier!=db,team in (a,b),!legacy", True, False, False),
        ("env!=staging", True, False, True),
        ("env in (staging)", False, True, False),
        ("env notin (staging, test)", True, False, True),
        ("backup", True, False, False),
        ("backup=", True, False, False),
        ("!backup", False, True, True),
        ("in in (in)", False, False, False),
        ("notin", False, False, False),
        ('env="prod"', True, True, False),
        ('env in ("prod","a b")', True, True, False),
        ("env,!tier", False, False, False),
        ("env=PROD", False, False, False),
    ],
)
def test_what_is_selected(text: str, prod: bool, old: bool, bare: bool) -> None:
    selector = parse_selector(text)
    assert [selector.matches(tags) for tags in (PROD, OLD, BARE)] == [prod, old, bare]


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        (",", 1, "name of a label"),
        ("env=prod,", 10, "name of a label"),
        ("env=prod,,a", 10, "name of a label"),
        ("=prod", 1, "name of a label"),
        ("!", 2, "name of a label"),
        ("!!a", 2, "name of a label"),
        ("env prod", 5, "comma or the end"),
        ("env in prod", 5, "comma or the end"),
        ("env in (a", 10, "closing parenthesis"),
        ("env in (a b)", 11, "closing parenthesis"),
        ('env="prod', 5, "quote"),
        ("env=a'; DROP TABLE servers", 6, "comma or the end"),
        ("a\x00b", 2, "comma or the end"),
        (",".join(["a"] * (MOST_TERMS + 1)), 2 * MOST_TERMS + 2, "more than"),
        (f"a in ({','.join(['b'] * (MOST_VALUES + 1))})", 8 + 2 * MOST_VALUES, "more than"),
        ("a" * (LONGEST_SELECTOR + 1), LONGEST_SELECTOR + 1, "longer"),
    ],
)
def test_a_fault_is_told_with_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(BadSelectorError, match=words) as raised:
        parse_selector(text)
    assert raised.value.column == column
    assert f"column {column}:" in raised.value.detail


_NUMBERED = (
    "SELECT number FROM (SELECT ordinality AS number, tag::text[] AS tags"
    " FROM unnest($1::text[]) WITH ORDINALITY AS given (tag)) AS rows WHERE "
)
WORDS = st.sampled_from(["env", "tier", "a", "b", "prod", "e.n", "in", "ü", "x/y"])
TAGS = st.lists(st.one_of(WORDS, st.builds("{}={}".format, WORDS, WORDS), st.just("a=b=c")), max_size=6)
VALUES = st.one_of(WORDS, st.just(""), st.just("b=c"))
TERMS = st.one_of(
    st.builds(Term, WORDS, st.sampled_from([Demand.HAS, Demand.LACKS])),
    st.builds(
        Term,
        WORDS,
        st.sampled_from([Demand.IN, Demand.NOT_IN]),
        st.lists(VALUES, min_size=1, max_size=4).map(tuple),
    ),
)
SELECTORS = st.lists(TERMS, max_size=5).map(tuple).map(Selector)


def written(selector: Selector) -> str:
    """As somebody would write it."""
    return ",".join(_term(term) for term in selector.terms)


def _term(term: Term) -> str:
    match term.test:
        case Demand.HAS:
            return term.label
        case Demand.LACKS:
            return f"!{term.label}"
        case Demand.IN:
            return f"{term.label} in ({','.join(term.values)})"
        case Demand.NOT_IN:
            return f"{term.label} notin ({','.join(term.values)})"


@given(SELECTORS)
def test_what_is_written_is_read(selector: Selector) -> None:
    assert parse_selector(written(selector)) == selector


@given(st.text(st.sampled_from("ab=!,() \t\"'in$;\x00ü"), max_size=40))
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    assert 0 <= fault(text) <= len(text) + 1


def fault(text: str) -> int:
    """The column, 0 if there is none."""
    try:
        parse_selector(text).matches(["a=b", "b"])
    except BadSelectorError as error:
        return error.column
    return 0


def plainly(selector: Selector, tags: list[str]) -> bool:
    """The meaning again, by each label's values."""
    labels: dict[str, set[str]] = {}
    for tag in tags:
        name, _, value = tag.partition("=")
        labels.setdefault(name, set()).add(value)
    verdicts = {
        Demand.HAS: lambda term: term.label in labels,
        Demand.LACKS: lambda term: term.label not in labels,
        Demand.IN: lambda term: bool(labels.get(term.label, set()) & set(term.values)),
        Demand.NOT_IN: lambda term: not labels.get(term.label, set()) & set(term.values),
    }
    return all(verdicts[term.test](term) for term in selector.terms)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SELECTORS, st.lists(TAGS, min_size=1, max_size=8))
async def test_postgresql_selects_what_plain_python_does(
    fresh_database: str, selector: Selector, rows: list[list[str]]
) -> None:
    condition, parameters = selector.condition("tags", 2)
    arrays = ["{" + ",".join(f'"{tag}"' for tag in tags) + "}" for tags in rows]
    query: Any = _NUMBERED + condition + " ORDER BY 1"
    async with database.connection() as connection:
        cursor = await connection.execute(query, [arrays, *parameters])
        found = [row[0] for row in await cursor.fetchall()]
    assert found == [number for number, tags in enumerate(rows, 1) if plainly(selector, tags)]
    assert found == [number for number, tags in enumerate(rows, 1) if selector.matches(tags)]


async def test_servers_are_listed_by_their_labels(site: Site) -> None:
    for name, tags in (("prod", PROD), ("old", OLD), ("bare", BARE)):
        agent = await site.enrol(name)
        async with site.client() as client:
            answer = await client.patch(f"/api/v2/servers/{agent.agent_id}", json={"tags": tags})
        assert answer.status_code == 200, answer.text

    async def names(selector: str) -> list[str]:
        found = await site.get("/api/v2/servers", label_selector=selector)
        return [one["name"] for one in found["items"]]

    assert await names("env=prod") == ["old", "prod"]
    assert await names("env=prod,!legacy") == ["prod"]
    assert await names("tier notin (web,db)") == ["bare"]
    problem = await site.get("/api/v2/servers", 422, label_selector="env=prod,,")
    assert problem["code"] == "bad_label_selector"
    assert "column 10" in problem["detail"]
