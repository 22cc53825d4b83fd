"""People's own data at the HTTP edge."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from pudim_collector.features.privacy.service import Retention


class AccountDeletion(Struct, forbid_unknown_fields=True):
    """`email` is the account's address, typed once more."""

    email: Annotated[str, Meta(max_length=254)]


class DeletionForm(Struct):
    email: str = ""


class KeptRows(Struct):
    """How many `days` one kind of rows is kept, by itself and now, and between which bounds that may be."""

    name: str
    words: str
    days: int
    default: int
    fewest: int
    most: int

    @classmethod
    def of(cls, one: Retention) -> KeptRows:
        kept = one.kept
        return cls(kept.name, kept.words, one.days, kept.days, kept.fewest, kept.most)


class KeptRowsPage(Struct):
    items: list[KeptRows]
    next_cursor: str | None = None


class KeptDays(Struct, forbid_unknown_fields=True):
    days: int


class KeptForm(Struct):
    name: str = ""
    days: str = ""
