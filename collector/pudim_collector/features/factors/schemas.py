"""Second factors at the HTTP edge."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from pudim_collector.features.factors.service import Overview


class SecondFactorState(Struct):
    """`recovery_codes_left` is null where none were ever made; `demanded` where the team wants a second factor."""

    kinds: list[str]
    app_since: datetime | None
    recovery_codes_left: int | None
    demanded: bool

    @classmethod
    def of(cls, overview: Overview) -> SecondFactorState:
        return cls(sorted(overview.kinds), overview.totp_since, overview.codes_left, overview.demanded)


class RecoveryCodes(Struct):
    """Shown this once."""

    codes: list[str]


class CodesForm(Struct):
    """`next` is where to go on to when the codes have been seen."""

    next: str = ""


class CodeForm(Struct):
    code: str = ""
