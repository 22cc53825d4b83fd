"""What a team cannot be without, and whom and where a role can be granted."""

from __future__ import annotations

from pudim.vocabulary.errors import PudimError

LONGEST_TAG = 64
MOST_GRANTS = 2_000


class MemberError(PudimError):
    """This cannot be done with a member."""

    code = "member"
    status = 422


class BadGrantTarget(MemberError):
    """A role is granted for one server or for one tag, to one member or to one API token."""

    code = "bad_grant_target"


class LastOwner(MemberError):
    """A team keeps at least one owner."""

    code = "last_owner"
    status = 409
    hint = "Make somebody else an owner first."


def check_owners(owners: int) -> None:
    """Raise LastOwner if none would be left."""
    if owners < 1:
        raise LastOwner


def is_target(user_id: object, token_id: object, server_id: object, tag: str | None) -> bool:
    """Whether this says whom and where: one of each pair."""
    if (user_id is None) == (token_id is None) or (server_id is None) == (tag is None):
        return False
    return tag is None or (1 <= len(tag) <= LONGEST_TAG and tag.isprintable())
