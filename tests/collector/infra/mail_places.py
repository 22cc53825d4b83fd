"""Real mail servers on loopback: one that takes what comes, and those that refuse, dawdle or hang up."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

NAME, PASSWORD = "pudim@example.org", "correct horse: ü%"


@dataclass
class Took:
    sender: str
    to: list[str]
    message: EmailMessage
    is_secured: bool
    signed_in: str | None

    def part(self, kind: str) -> str:
        found = self.message.get_body((kind,))
        assert found is not None
        return str(found.get_content())


@dataclass
class Handler:
    """`refusals` maps a command's name to what is said instead of 250, each once where it is a list."""

    refusals: dict[str, Any] = field(default_factory=dict)
    took: list[Took] = field(default_factory=list)

    def _word(self, command: str) -> str | None:
        said = self.refusals.get(command)
        if isinstance(said, list):
            return said.pop(0) if said else None
        return said

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := self._word("MAIL"):
            return said
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if said := self._word("RCPT"):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        said = self._word("DATA")
        if said == "hang up":
            server.transport.abort()
            return "421 gone"
        if said:
            return said
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        signed_in = session.auth_data.login.decode() if session.auth_data else None
        self.took.append(
            Took(str(envelope.mail_from), envelope.rcpt_tos, message, session.ssl is not None, signed_in)
        )
        return "250 taken"


def _known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    assert isinstance(given, LoginPassword)
    good = given.login.decode() == NAME and given.password.decode() == PASSWORD
    return AuthResult(success=good, handled=False, auth_data=given)


@asynccontextmanager
async def mail_server(
    handler: Handler,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> AsyncIterator[int]:
    """The port. With `starttls` mail is taken after it only; with `tls` it is there from the start."""

    def made() -> SMTP:
        return SMTP(
            handler,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=_known,
            hostname="mail.test",
            **options,
        )

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
