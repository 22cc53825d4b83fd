"""Where in a TOML text a key stands: the standard library's reader tells values and not their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

Path = tuple[str, ...]
_WORD = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_DOTTED = rf"{_WORD}(?:[ \t]*\.[ \t]*{_WORD})*"
_HEADER = re.compile(rf"[ \t]*\[\[?[ \t]*({_DOTTED})[ \t]*\]")
_KEY = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
_WORDS = re.compile(_WORD)
# A text, the marks of a bracket, or a comment: what may not be counted as a bracket, and what must.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|'
    r"'''.*?'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)


def lines(text: str) -> dict[Path, int]:
    """The line, from 1, of every table and key of a valid TOML text, by its path; the first of several."""
    found: dict[Path, int] = {}
    for path, line in _keys(text):
        for length in range(1, len(path) + 1):
            found.setdefault(path[:length], line)
    return found


def _keys(text: str) -> Iterator[tuple[Path, int]]:
    table: Path = ()
    for start, line in _statements(text):
        if header := _HEADER.match(text, start):
            table = _path(header[1])
            yield table, line
        elif key := _KEY.match(text, start):
            yield table + _path(key[1]), line


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Where each line begins that is not the rest of a value, and its number."""
    depth, line = 0, 1
    yield 0, 1
    for token in _TOKEN.finditer(text):
        mark = token[0]
        line += mark.count("\n")
        depth += (mark in "[{") - (mark in "]}")
        if mark == "\n" and depth <= 0:
            yield token.end(), line


def _path(dotted: str) -> Path:
    return tuple(_plain(word) for word in _WORDS.findall(dotted))


def _plain(word: str) -> str:
    return word[1:-1] if word[0] in "\"'" else word
