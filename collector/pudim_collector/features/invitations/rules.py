"""Whom an invitation is for, and how long it is good."""

from __future__ import annotations

from datetime import timedelta

from pudim.vocabulary.errors import PudimError

MOST_INVITATIONS = 200
INVITATION_LIFE = timedelta(days=7)


class InvitationError(PudimError):
    """This cannot be done with an invitation."""

    code = "invitation"
    status = 422


class AlreadyMember(InvitationError):
    """Who has this address is in the team already."""

    code = "already_member"
    status = 409


class WrongRecipient(InvitationError):
    """The invitation is for another address than that of this account."""

    code = "wrong_recipient"
    status = 403
    hint = "Sign out, and open the link again with the account that was invited."
