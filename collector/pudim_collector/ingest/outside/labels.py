"""Names, units and labels from outside, brought into a form that can be kept, or refused by name."""

from __future__ import annotations

from collections.abc import Iterable

from pudim.wire.layouts import Labels, labels_of
from pudim_collector.ingest.outside.refusals import BadName, TextTooLong, TooManyLabels
from pudim_collector.series.shelves import SENDER

MAX_NAME = 256
MAX_UNIT = 64
MAX_KEY = 256
MAX_VALUE = 512
MAX_LABELS = 40
MAX_SERVER_NAME = 256
_SHOWN = 40


def checked_name(name: str, what: str = "metric", longest: int = MAX_NAME) -> str:
    """`name` itself. Raises BadName or TextTooLong."""
    if not name:
        raise BadName(f"a {what} without a name")
    if len(name) > longest:
        raise TextTooLong(f"the {what} {shown(name)} has {len(name)} characters, at most {longest} are kept")
    if not name.isprintable():
        raise BadName(f"the {what} {shown(name)} has characters that cannot be shown")
    return name


def checked_unit(unit: str) -> str:
    return checked_name(unit, "unit", MAX_UNIT) if unit else ""


def checked_labels(pairs: Iterable[tuple[str, str]], taken: Labels = ()) -> Labels:
    """The labels by key; those that bear a key of `taken`, or one of ours, are renamed as Prometheus does.

    Raises BadName, TextTooLong or TooManyLabels.
    """
    reserved = {SENDER, *(key for key, _ in taken)}
    kept: dict[str, str] = {}
    for key, value in pairs:
        if value:
            own = f"exported_{key}" if key in reserved else key
            if own in kept:
                raise BadName(f"the label {shown(key)} comes twice")
            kept[checked_name(own, "label", MAX_KEY)] = _checked_value(key, value)
    if len(kept) + len(taken) > MAX_LABELS:
        raise TooManyLabels(f"{len(kept) + len(taken)} labels, at most {MAX_LABELS} are kept")
    return labels_of(kept)


def _checked_value(key: str, value: str) -> str:
    if len(value) > MAX_VALUE:
        raise TextTooLong(f"the label {shown(key)} has {len(value)} characters, at most {MAX_VALUE} are kept")
    if "\0" in value:
        raise BadName(f"the label {shown(key)} holds a NUL")
    return value


def shown(text: str, longest: int = _SHOWN) -> str:
    """As an error may quote it: short, and without anything that a terminal obeys."""
    short = text if len(text) <= longest else f"{text[:longest]}..."
    return ascii(short)
