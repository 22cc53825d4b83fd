"""Reads a check's definition as it was typed or sent, and tells everything that is wrong with it at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, fields
from typing import Any, NamedTuple, get_type_hints

from pudim.checks import (
    LONGEST_INTERVAL,
    LONGEST_TIMEOUT,
    SHORTEST_INTERVAL,
    SHORTEST_TIMEOUT,
    Check,
    Spec,
    checks,
)
from pudim.vocabulary.errors import PudimError

MOST_TEXTS = 64
LONGEST_ID = 64


class Fault(NamedTuple):
    """`field` is a path such as `settings.url`."""

    field: str
    words: str


class BadCheck(PudimError):
    """The check cannot be run as it is defined."""

    code = "bad_check"
    status = 422
    hint = "Each fault names its field; nothing was changed."

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        said = "; ".join(f"{one.field}: {one.words}" for one in self.faults)
        super().__init__(said or "The check cannot be run as it is defined.")


def read(document: Mapping[str, Any]) -> Spec:
    """A check with its id, kind, interval, timeout and settings. Raises BadCheck."""
    faults: list[Fault] = []
    name, kind = document.get("id"), document.get("kind")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID or not name.isprintable():
        faults.append(Fault("id", f"must be a text of 1 to {LONGEST_ID} characters"))
    interval = _seconds("interval", document.get("interval"), SHORTEST_INTERVAL, LONGEST_INTERVAL, faults)
    timeout = _seconds("timeout", document.get("timeout"), SHORTEST_TIMEOUT, LONGEST_TIMEOUT, faults)
    if not faults and timeout > interval:
        faults.append(Fault("timeout", "must not be longer than the interval"))
    config = None
    if not isinstance(kind, str) or kind not in checks:
        faults.append(Fault("kind", f"must be one of {', '.join(checks)}"))
    else:
        config, wrong = configure(checks[kind], document.get("settings", {}))
        faults.extend(wrong)
    if faults:
        raise BadCheck(faults)
    return Spec(str(name), str(kind), interval, timeout, config)


def configure(kind: type[Check], settings: Any) -> tuple[Any, list[Fault]]:
    """The kind's `Config` of these settings; where there are faults it is None."""
    if not isinstance(settings, Mapping):
        return None, [Fault("settings", "must be a map")]
    known: dict[str, Field[Any]] = {one.name: one for one in fields(kind.Config)}
    types = get_type_hints(kind.Config)
    faults = [Fault(f"settings.{_shown(one)}", "is not known") for one in settings if one not in known]
    found: dict[str, Any] = {}
    for name, one in known.items():
        value = settings.get(name)
        if value is None or (one.metadata["required"] and value in ("", (), [])):
            if one.metadata["required"]:
                faults.append(Fault(f"settings.{name}", "is missing"))
            continue
        value = _plain(value, types[name])
        words = next(_wrong(value, types[name], one.metadata), None)
        if words is not None:
            faults.append(Fault(f"settings.{name}", words))
        found[name] = value
    if faults:
        return None, faults
    config = kind.Config(**found)
    faults.extend(Fault(f"settings.{name}", words) for name, words in kind.faults(config))
    return (None, faults) if faults else (config, [])


def _plain(value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return tuple(value) if kind == tuple[str, ...] and isinstance(value, list) else value


def _wrong(value: Any, kind: Any, about: Mapping[str, Any]) -> Iterator[str]:
    if kind == tuple[str, ...]:
        if not isinstance(value, tuple) or not all(isinstance(one, str) for one in value):
            yield "must be a list of texts"
        elif len(value) > MOST_TEXTS:
            yield f"must have at most {MOST_TEXTS} entries"
        else:
            for one in value:
                yield from _wrong_text(one, about)
    elif type(value) is not kind:
        yield f"must be {_SAID[kind]}"
    elif kind is str:
        yield from _wrong_text(value, about)
    elif kind is not bool:
        yield from _wrong_number(value, about)


def _wrong_text(value: str, about: Mapping[str, Any]) -> Iterator[str]:
    if len(value) > about["longest"]:
        yield f"must have at most {about['longest']} characters"
    if "\0" in value or not _is_encodable(value):
        yield "must not have NUL or broken characters"
    if about["choices"] and value not in about["choices"]:
        yield f"must be one of {', '.join(about['choices'])}"


def _wrong_number(value: float, about: Mapping[str, Any]) -> Iterator[str]:
    low, high = about["low"], about["high"]
    if not math.isfinite(value):
        yield "must be a finite number"
    elif (low is not None and value < low) or (high is not None and value > high):
        yield f"must be from {low:g} to {high:g}" if high is not None else f"must be at least {low:g}"


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _seconds(name: str, value: Any, low: float, high: float, faults: list[Fault]) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    faults.append(Fault(name, f"must be from {low:g} to {high:g} seconds"))
    return low


def _shown(name: object) -> str:
    return ascii(name)[:64]


_SAID = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
