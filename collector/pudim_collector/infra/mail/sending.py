"""Hands one mail to the operator's mail server, within a time, and says what became of it in a named error."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pudim_collector.infra.mail.addresses import domain
from pudim_collector.infra.mail.errors import (
    Deferred,
    NotSent,
    Rejected,
    ServerNotReached,
    ServerTooSlow,
    ServerUntrusted,
    SignInRefused,
)
from pudim_collector.infra.mail.server import Security, SmtpServer
from pudim_collector.infra.mail.writing import Mail, message, printable
from pudim_collector.infra.safe_http.client import trust

if TYPE_CHECKING:
    from aiosmtplib import SMTP

STEP_PATIENCE = 15.0
PATIENCE = 60.0
"""Seconds for one step of the conversation, and for all of it."""
LONGEST_REPLY = 300
_FINAL = range(500, 600)


async def hand_over(
    mail: Mail, mail_id: UUID, now: datetime, server: SmtpServer, patience: float = PATIENCE
) -> None:
    """Raises NotSent."""
    try:
        async with asyncio.timeout(patience):
            await _conversation(mail, mail_id, now, server)
    except TimeoutError:
        raise ServerTooSlow from None


async def _conversation(mail: Mail, mail_id: UUID, now: datetime, server: SmtpServer) -> None:
    from aiosmtplib import SMTPException  # a collector that sends no mail should not carry it

    client = await _client(server)
    try:
        await client.connect()
        if server.security is Security.STARTTLS:
            await _needed(client.starttls(), ServerUntrusted)
        if server.username is not None:
            await _needed(client.login(server.username, server.password or ""), SignInRefused)
        made = message(mail, mail_id, now, server)
        await client.sendmail(server.sender, [mail.to], made.as_bytes())
        with suppress(SMTPException, OSError):
            await client.quit()  # it is taken already, whatever the server says now
    except (SMTPException, OSError, ValueError) as error:
        raise _named(error) from None
    finally:
        client.close()


async def _needed(step: Coroutine[Any, Any, Any], otherwise: type[NotSent]) -> None:
    """A server that does not offer what this step needs is told by an error of no kind of its own."""
    from aiosmtplib import SMTPException

    try:
        await step
    except SMTPException as error:
        if type(error) is SMTPException:
            raise otherwise from None
        raise


async def _client(server: SmtpServer) -> SMTP:
    from aiosmtplib import SMTP

    context = None
    if server.security is not Security.NONE:
        context = await asyncio.to_thread(trust, server.ca_file)
    return SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=domain(server.sender),
        timeout=STEP_PATIENCE,
        use_tls=server.security is Security.TLS,
        start_tls=False,
        tls_context=context,
    )


def _named(error: Exception) -> NotSent:
    from aiosmtplib import errors

    match error:
        case errors.SMTPTimeoutError() | TimeoutError():
            return ServerTooSlow()
        case errors.SMTPAuthenticationError():
            return SignInRefused(said=_said(error))
        case errors.SMTPRecipientsRefused():
            return _by_code(error.recipients[0])
        case errors.SMTPResponseException():
            return _by_code(error)
        case errors.SMTPNotSupported() | ssl.SSLError():
            return ServerUntrusted()
    return ServerUntrusted() if _is_of_tls(error) else ServerNotReached()


def _by_code(error: Exception) -> NotSent:
    """A refusal of the sender or of the whole server is the operator's to put right, so that it is tried again."""
    from aiosmtplib import errors

    is_of_this_mail = isinstance(error, errors.SMTPRecipientRefused | errors.SMTPDataError)
    code = getattr(error, "code", 0)
    kind = Rejected if is_of_this_mail and code in _FINAL else Deferred
    return kind(said=_said(error))


def _said(error: Exception) -> str:
    words = f"{getattr(error, 'code', '')} {getattr(error, 'message', '')}"
    return printable(words, LONGEST_REPLY)


def _is_of_tls(error: BaseException | None) -> bool:
    """The library tells a failed handshake as a failed connection; what it came from says which it was."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
