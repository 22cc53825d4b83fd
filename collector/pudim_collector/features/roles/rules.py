"""What a role of a team's own may be made of, and who may give it: decided from what each of them may."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pudim.vocabulary.errors import PudimError

LONGEST_ROLE_NAME = 64
MOST_ROLES = 50


class RoleError(PudimError):
    """This cannot be done with a role."""

    code = "role"
    status = 422


class BadRoleName(RoleError):
    """A role's name has 1 to 64 characters that can be seen, and is none of the built-in ones."""

    code = "bad_role_name"


class RoleNameTaken(RoleError):
    """The team has a role of this name."""

    code = "role_name_taken"
    status = 409


class UnknownPermission(RoleError):
    """There is no such permission, or it is none that a team can give."""

    code = "unknown_permission"


class NotYoursToGive(RoleError):
    """Nobody gives or takes what he does not have himself."""

    code = "not_yours_to_give"
    status = 403

    def __init__(self, missing: Collection[str] = ()) -> None:
        super().__init__(
            f"Nobody gives or takes what he does not have himself: {', '.join(sorted(missing))}."
        )


class RoleInUse(RoleError):
    """Somebody has this role."""

    code = "role_in_use"
    status = 409
    hint = "Give them another one first."


class TooMany(RoleError):
    """The team has as many of these as it may have."""

    code = "too_many"
    status = 409


def check_may_give(held: Collection[str], *sets: Iterable[str]) -> None:
    """Raise NotYoursToGive for anything in `sets` beyond what is `held`.

    Who changes somebody shows both what he takes and what he gives: so an admin touches no owner.
    """
    missing = {name for one in sets for name in one} - frozenset(held)
    if missing:
        raise NotYoursToGive(missing)


def clean_role_name(name: str, built_in: Collection[str]) -> str:
    """Raises BadRoleName."""
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= LONGEST_ROLE_NAME or not cleaned.isprintable():
        raise BadRoleName
    if cleaned.casefold() in built_in:
        raise BadRoleName
    return cleaned


def clean_permissions(wanted: Iterable[str], known: Collection[str]) -> list[str]:
    """In order, each once. Raises UnknownPermission."""
    found = sorted(set(wanted))
    if unknown := [name for name in found if name not in known]:
        raise UnknownPermission(f"There is no permission {unknown[0]!a} that a team can give.")
    return found
