"""Who may not go yet, what somebody types to go, and between which bounds rows are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pudim.vocabulary.errors import PudimError

MOST_NAMED = 5


class DeletionRefused(PudimError):
    """This account cannot be deleted so."""

    code = "deletion_refused"
    status = 409
    field: ClassVar[str] = "form"


class WrongAddress(DeletionRefused):
    """This is not the account's address."""

    code = "wrong_address"
    status = 422
    field = "email"
    hint = "Type the whole address, as it stands above."


class LastOwner(DeletionRefused):
    """A team would be left without an owner."""

    code = "last_owner_leaves"
    hint = "Hand each of these teams over to another member, or delete it; then delete the account."


class LastOperator(DeletionRefused):
    """Nobody would be left to look after this installation."""

    code = "last_operator_leaves"
    hint = "Whoever runs Pudim can do it on its machine: pudim admin privacy delete."


class NoSuchPerson(PudimError):
    """There is no such account."""

    code = "no_such_person"
    status = 404


class NoSuchRetention(PudimError):
    """Nothing of this name is kept by age."""

    code = "no_such_retention"
    status = 404


class BadRetention(PudimError):
    """It cannot be kept for so long, or so short."""

    code = "bad_retention"
    status = 422

    def __init__(self, name: str = "form", fewest: int = 1, most: int = 1) -> None:
        self.field = name
        super().__init__(f"It is kept for {fewest} to {most} days.")


def check_typed(typed: str, email_key: str) -> None:
    """Raises WrongAddress."""
    if typed.strip().casefold() != email_key:
        raise WrongAddress


def check_teams(owned_alone: Sequence[str]) -> None:
    """By the names of the teams that only he owns. Raises LastOwner."""
    if owned_alone:
        named = ", ".join(owned_alone[:MOST_NAMED])
        more = f" and {len(owned_alone) - MOST_NAMED} more" if len(owned_alone) > MOST_NAMED else ""
        raise LastOwner(f"Nobody else owns {named}{more}.")


def check_days(name: str, days: int, fewest: int, most: int) -> None:
    """Raises BadRetention."""
    if not fewest <= days <= most:
        raise BadRetention(name, fewest, most)
