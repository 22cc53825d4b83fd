"""Why a mail was not written or not sent, and whether trying again helps."""

from __future__ import annotations

from typing import ClassVar

from pudim.vocabulary.errors import PudimError


class MailError(PudimError):
    """A mail could not be sent."""

    code = "mail_failed"
    status = 502


class MailNotConfigured(MailError):
    """This installation sends no mail."""

    code = "mail_not_configured"
    status = 503
    hint = "The operator sets PUDIM_SMTP_URL and PUDIM_MAIL_FROM."


class BadAddress(MailError):
    """This is not a mail address that can be written to."""

    code = "bad_mail_address"
    status = 422


class BadMail(MailError):
    """A mail like this is never sent: a line break in its subject, or too long."""

    code = "bad_mail"
    status = 422


class OutboxFull(MailError):
    """So many mails wait that no more are taken."""

    code = "mail_outbox_full"
    status = 503
    retry = True
    hint = "The operator sees why with: pudim admin mail list"


class NotSent(MailError):
    """The mail server did not take it. `said` is the server's own word, printable and short."""

    is_final: ClassVar[bool] = False

    def __init__(self, *, said: str = "") -> None:
        reason = (type(self).__doc__ or "").strip()
        super().__init__(f"{reason} It says: {said}" if said else reason)
        self.said = said


class Rejected(NotSent):
    """The mail server will never take this mail."""

    code = "mail_rejected"
    is_final = True


class Deferred(NotSent):
    """The mail server did not take the mail now."""

    code = "mail_deferred"
    retry = True


class ServerNotReached(NotSent):
    """The mail server cannot be reached, or ended the connection too early."""

    code = "mail_server_not_reached"
    retry = True


class ServerTooSlow(NotSent):
    """The mail server did not answer in time."""

    code = "mail_server_too_slow"
    retry = True


class ServerUntrusted(NotSent):
    """The mail server's certificate is not trusted, or it offers no TLS."""

    code = "mail_server_untrusted"
    retry = True
    hint = "Trust an authority of your own with PUDIM_CA_FILE; smtp+plain:// is for servers without TLS."


class SignInRefused(NotSent):
    """The mail server does not accept the name and password."""

    code = "mail_sign_in_refused"
    retry = True
    hint = "See PUDIM_SMTP_URL and PUDIM_SMTP_PASSWORD_FILE."
