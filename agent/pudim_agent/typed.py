"""Values of a stranger's table as a frozen dataclass, with every fault named at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")
LONGEST_TEXT = 4096
MOST_TEXTS = 256


def record(kind: type[T], table: Any, faults: list[tuple[str, str]]) -> T | None:
    """`table` as a `kind`, or None with (key, what is wrong with it) appended to `faults`.

    Fields are bool, int (bounds `low` and `high` in its metadata), str (`longest`) and tuple[str, ...]. Texts are printable:
    no line ends, no NUL, nothing that turns the writing's direction.
    """
    if not isinstance(table, Mapping):
        faults.append(("", "must be a table"))
        return None
    before = len(faults)
    known: dict[str, Field[Any]] = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    types = get_type_hints(kind)
    faults.extend((str(name), "unknown") for name in table if name not in known)
    values: dict[str, Any] = {}
    for name, one in known.items():
        if name not in table:
            if one.default is MISSING and one.default_factory is MISSING:
                faults.append((name, "missing"))
            continue
        said = _wrong(types[name], table[name], one.metadata)
        if said:
            faults.append((name, said))
        values[name] = tuple(table[name]) if isinstance(table[name], (list, tuple)) else table[name]
    return kind(**values) if len(faults) == before else None


def _wrong(kind: Any, value: Any, bounds: Mapping[str, Any]) -> str:
    if kind is bool:
        return "" if isinstance(value, bool) else "must be true or false"
    if kind is int:
        return _wrong_number(value, bounds.get("low", 0), bounds.get("high", 2**62))
    if kind is str:
        return _wrong_text(value, bounds.get("longest", LONGEST_TEXT))
    if not isinstance(value, (list, tuple)) or len(value) > MOST_TEXTS:
        return f"must be a list of at most {MOST_TEXTS} texts"
    return next(filter(None, (_wrong_text(one, LONGEST_TEXT) for one in value)), "")


def _wrong_number(value: Any, low: int, high: int) -> str:
    if type(value) is not int:
        return "must be a whole number"
    return "" if low <= value <= high else f"must be from {low} to {high}"


def _wrong_text(value: Any, longest: int) -> str:
    if not isinstance(value, str) or not value:
        return "must be a text"
    if len(value) > longest:
        return f"must have at most {longest} characters"
    return "" if value.isprintable() else "must hold printable characters only"
