"""Who may give whom what in a team, and what a team cannot be without: decided from what each of them may."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta

from pudim.vocabulary.errors import PudimError

LONGEST_TEAM_NAME = 128
LONGEST_ROLE_NAME = 64
LONGEST_TAG = 64
MOST_ROLES = 50
MOST_INVITATIONS = 200
MOST_GRANTS = 2_000
INVITATION_LIFE = timedelta(days=7)


class TeamError(PudimError):
    """This cannot be done in the team."""

    code = "team"
    status = 422


class BadTeamName(TeamError):
    """A team's name has 1 to 128 characters that can be seen."""

    code = "bad_team_name"


class BadRoleName(TeamError):
    """A role's name has 1 to 64 characters that can be seen, and is none of the built-in ones."""

    code = "bad_role_name"


class RoleNameTaken(TeamError):
    """The team has a role of this name."""

    code = "role_name_taken"
    status = 409


class UnknownPermission(TeamError):
    """There is no such permission, or it is none that a team can give."""

    code = "unknown_permission"


class BadGrantTarget(TeamError):
    """A role is granted for one server or for one tag, to one member or to one API token."""

    code = "bad_grant_target"


class NotYoursToGive(TeamError):
    """Nobody gives or takes what he does not have himself."""

    code = "not_yours_to_give"
    status = 403

    def __init__(self, missing: Collection[str] = ()) -> None:
        super().__init__(
            f"Nobody gives or takes what he does not have himself: {', '.join(sorted(missing))}."
        )


class LastOwner(TeamError):
    """A team keeps at least one owner."""

    code = "last_owner"
    status = 409
    hint = "Make somebody else an owner first."


class LastTeam(TeamError):
    """An installation keeps at least one team."""

    code = "last_team"
    status = 409


class RoleInUse(TeamError):
    """Somebody has this role."""

    code = "role_in_use"
    status = 409
    hint = "Give them another one first."


class TooMany(TeamError):
    """The team has as many of these as it may have."""

    code = "too_many"
    status = 409


class WrongName(TeamError):
    """To delete the team, type its name as it is written."""

    code = "wrong_name"


class AlreadyMember(TeamError):
    """Who has this address is in the team already."""

    code = "already_member"
    status = 409


class WrongRecipient(TeamError):
    """The invitation is for another address than that of this account."""

    code = "wrong_recipient"
    status = 403
    hint = "Sign in with the account that was invited."


def check_may_give(held: Collection[str], *sets: Iterable[str]) -> None:
    """Raise NotYoursToGive for anything in `sets` beyond what is `held`.

    Who changes somebody shows both what he takes and what he gives: so an admin touches no owner.
    """
    missing = {name for one in sets for name in one} - frozenset(held)
    if missing:
        raise NotYoursToGive(missing)


def check_owners(owners: int) -> None:
    """Raise LastOwner if none would be left."""
    if owners < 1:
        raise LastOwner


def clean_team_name(name: str) -> str:
    """Raises BadTeamName."""
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= LONGEST_TEAM_NAME or not cleaned.isprintable():
        raise BadTeamName
    return cleaned


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


def is_target(user_id: object, token_id: object, server_id: object, tag: str | None) -> bool:
    """Whether this says whom and where: one of each pair."""
    if (user_id is None) == (token_id is None) or (server_id is None) == (tag is None):
        return False
    return tag is None or (1 <= len(tag) <= LONGEST_TAG and tag.isprintable())
