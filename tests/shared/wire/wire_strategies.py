"""Every value the link may carry, for the properties."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from pudim.wire.batches import BOOT_BYTES, MAX_SEQ, MAX_TIME, Block, block
from pudim.wire.layouts import HASH_BYTES, Layout, Series, Source, labels_of
from pudim.wire.messages import MAX_PERIOD, Ack, Configure, Opening, Refuse, SlowDown, Successor

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
names = texts.filter(bool)
labels = st.dictionaries(texts, texts, max_size=5)
boots = st.binary(min_size=BOOT_BYTES, max_size=BOOT_BYTES)
hashes = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)
moments = st.integers(0, MAX_TIME)
seqs = st.integers(0, MAX_SEQ)

series = st.builds(Series, names, texts, labels.map(labels_of))
layouts = st.builds(Layout, st.lists(series, min_size=1, max_size=6).map(tuple))
sources = st.builds(Source, names, labels.map(labels_of), layouts)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    times = sorted(draw(st.sets(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5)))
    width = draw(st.integers(1, 4))
    row = st.lists(st.floats(), min_size=width, max_size=width)
    return block(draw(hashes), times, draw(st.lists(row, min_size=len(times), max_size=len(times))))


openings = st.builds(Opening, moments, texts, boots, st.integers(1, MAX_PERIOD), labels)
periods = st.integers(0, MAX_PERIOD)
maybe_seq = st.none() | seqs
from_collector = st.one_of(
    st.builds(Ack, boots, seqs),
    st.builds(Configure, periods),
    st.builds(SlowDown, periods),
    st.builds(Successor, st.binary(max_size=200)),
    st.builds(Refuse, texts, texts, st.booleans(), st.none() | boots, maybe_seq, maybe_seq),
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.sampled_from([math.inf, -math.inf, math.nan])
    | texts
    | st.binary(max_size=40)
)
anything: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
