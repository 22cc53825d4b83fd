"""Names and labels of other programs, brought into a form that can be kept and cannot pass for the agent's own."""

from __future__ import annotations

from collections.abc import Iterable

from pudim.vocabulary.errors import PudimError
from pudim.vocabulary.metrics import METRICS
from pudim.wire.layouts import MAX_TEXT, Labels, labels_of
from pudim_agent.text import printable

MOST_LABELS = 24
"""Of a series; the link takes 32, those of its source included."""
KIND = "pudim.custom"
"""The label that every series of another program carries: the way it came by."""
FILE = "pudim.custom.name"
PREFIX = "custom."
_OWN = frozenset({name.partition(".")[0] for name in METRICS} | {"system", "process", "container", "pudim"})
_LONGEST_SUFFIX = 12


class NotKept(PudimError):
    """A metric of another program whose name or labels cannot be kept."""

    code = "not_kept"


def kept_name(name: str) -> str:
    """`name`, with `custom.` in front where it begins like the agent's own metrics. Raises NotKept."""
    if not name or not name.isprintable():
        raise NotKept("a name that cannot be shown")
    if name.partition(".")[0] in _OWN:
        name = PREFIX + name
    if len(name) > MAX_TEXT - _LONGEST_SUFFIX:
        raise NotKept(f"a name of {len(name)} characters")
    return name


def kept_labels(pairs: Iterable[tuple[str, str]], taken: Labels = ()) -> Labels:
    """The labels by key; those that bear a key of `taken`, or one of ours, are renamed as Prometheus does.

    Raises NotKept.
    """
    reserved = {key for key, _ in taken}
    kept: dict[str, str] = {}
    for key, value in pairs:
        if not value:
            continue  # as in Prometheus: an empty label is none
        own = f"exported_{key}" if key in reserved or key.startswith("pudim.") else key
        if not own or not own.isprintable() or max(len(own), len(value)) > MAX_TEXT:
            raise NotKept("a label that is too long or cannot be shown")
        if own in kept:
            raise NotKept("a label that comes twice")
        kept[own] = value if value.isprintable() else printable(value.encode(), MAX_TEXT)
    if len(kept) > MOST_LABELS:
        raise NotKept(f"{len(kept)} labels, at most {MOST_LABELS} are kept")
    return labels_of(kept)
