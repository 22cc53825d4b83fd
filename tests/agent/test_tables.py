"""The line of a key is the one on which a person finds it, however the text is written."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_agent.tables import lines

TEXT = '''# a comment with [brackets] and a = sign
url = "https://x"  # [not.a.table]
many = [
  "one", # ]
  """
two = 2
]""", [3],
]
dotted.key = { inner = 1 }

[samplers.cpu]
enabled = false
"odd name" = 1
[[list]]
a = 1
[[list]]
b = \'\'\'
c = 1
\'\'\'
d = "it's # [ {"
e = 2
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("url",), 2),
        (("many",), 3),
        (("dotted", "key"), 9),
        (("dotted",), 9),
        (("samplers",), 11),
        (("samplers", "cpu"), 11),
        (("samplers", "cpu", "enabled"), 12),
        (("samplers", "cpu", "odd name"), 13),
        (("list",), 14),
        (("list", "a"), 15),
        (("list", "b"), 17),
        (("list", "e"), 21),
    ],
)
def test_lines(path: tuple[str, ...], line: int) -> None:
    assert tomllib.loads(TEXT)
    assert lines(TEXT)[path] == line


def test_what_stands_in_values_is_no_key() -> None:
    assert not {("not",), ("two",), ("list", "c"), ("brackets",)} & lines(TEXT).keys()


def paths(table: dict[str, Any], before: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = set()
    for key, value in table.items():
        found.add((*before, key))
        if isinstance(value, dict):
            found |= paths(value, (*before, key))
    return found


WORDS = st.from_regex(r"[a-z][a-z0-9_-]{0,5}", fullmatch=True)
VALUES = st.sampled_from(
    ["1", "true", '"# [x"', "'{'", "[1, 2]", "[\n  1, # ]\n]", '"""\nq = 1\n"""', "'''\n[t]\n'''", '"\\"#"']
)


@given(st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES, max_size=4), max_size=4))
def test_every_key_of_any_text_has_its_line(tables: dict[str, dict[str, str]]) -> None:
    said = []
    for name, keys in tables.items():
        said += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
    text = "\n".join(said)
    found = lines(text)
    assert set(found) == paths(tomllib.loads(text))
    for path, line in found.items():
        assert path[-1] in text.splitlines()[line - 1]


@given(st.text(max_size=200))
def test_any_text_is_scanned(text: str) -> None:
    assert isinstance(lines(text), dict)
