"""What features call to write to somebody, and what the elected process calls to send what waits."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.infra.language import SOURCE
from pudim_collector.infra.mail import rules
from pudim_collector.infra.mail.errors import MailNotConfigured, NotSent, OutboxFull
from pudim_collector.infra.mail.outbox import Due, Outbox
from pudim_collector.infra.mail.sending import hand_over
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.infra.mail.writing import Mail, Writer
from pudim_collector.infra.sealing import SealBrokenError, Sealer
from pudim_collector.infra.telemetry import counter, gauge
from pudim_collector.kernel.clock import Clock
from pudim_collector.kernel.ids import new_id

MOST_A_RUN = 50
log = logging.getLogger(__name__)

sent = counter("pudim_mail_sent", "Mails that the mail server took.", ["template"])
failed = counter("pudim_mail_failed", "Attempts that failed, by the reason.", ["reason"])
waiting = gauge("pudim_mail_waiting", "Mails that wait to be sent, where the periodic jobs run.")
dead = gauge("pudim_mail_dead", "Mails that were given up and are still kept, where the periodic jobs run.")


class Content(msgspec.Struct):
    """What is sealed of a mail."""

    subject: str
    text: str
    html: str


class Mailer:
    """`server` is None where the operator named none: then nothing is taken."""

    def __init__(
        self,
        database: PsycopgEngine,
        server: SmtpServer | None,
        sealer: Sealer,
        clock: Clock,
        *,
        language: str = SOURCE,
    ) -> None:
        self.outbox = Outbox(database)
        self._server, self._sealer, self._clock = server, sealer, clock
        self._writer = Writer(language=language)

    @property
    def is_configured(self) -> bool:
        return self._server is not None

    async def post(
        self,
        to: str,
        template: str,
        subject: str,
        *,
        language: str | None = None,
        life: timedelta = rules.LIFE,
        **context: Any,
    ) -> UUID:
        """Write a mail and leave it to be sent, in the transaction that is open; after `life` it is not sent any more.

        `language` is the one that its reader chose, None if he chose none.

        Raises MailNotConfigured, BadAddress, BadMail or OutboxFull.
        """
        if self._server is None:
            raise MailNotConfigured
        mail = self._writer.write(to, template, subject, context, language)
        mail_id, now = new_id(), self._clock.now()
        plain = msgspec.msgpack.encode(Content(mail.subject, mail.text, mail.html))
        content = self._sealer.seal(plain, mail_id.bytes)
        is_taken = await self.outbox.put(
            mail_id, mail.to, mail.template, content, made_at=now, expires_at=now + life
        )
        if not is_taken:
            raise OutboxFull
        return mail_id

    async def revive(self, mail_id: UUID | None = None) -> int:
        """Let mails that were given up, one or all, be tried again. How many there were."""
        now = self._clock.now()
        return await self.outbox.revive(mail_id, now, now + rules.LIFE)

    async def send_due(self) -> None:
        """Some of what is due, one by one; called by one process, though several would do no harm."""
        if self._server is None:
            return
        for _ in range(MOST_A_RUN):
            due = await self.outbox.claim(self._clock.now(), rules.LEASE)
            if due is None:
                break
            await self._try(due)
        await self.outbox.forget_dead(self._clock.now() - rules.DEAD_KEPT)
        counts = await self.outbox.counts()
        waiting.set(counts[0])
        dead.set(counts[1])

    async def _try(self, due: Due) -> None:
        if self._clock.now() >= due.expires_at:
            await self._failed(due, "expired", "", is_final=True)
            return
        try:
            await self._hand_over(due)
        except NotSent as error:
            await self._failed(due, error.code, error.said, is_final=error.is_final)
        except SealBrokenError as error:
            await self._failed(due, error.code, "", is_final=True)
        else:
            await self.outbox.remove(due.id)
            sent.labels(due.template).inc()

    async def _hand_over(self, due: Due) -> None:
        if self._server is None:
            raise MailNotConfigured
        content = msgspec.msgpack.decode(self._sealer.open(due.content, due.id.bytes), type=Content)
        mail = Mail(due.recipient, due.template, content.subject, content.text, content.html)
        await hand_over(mail, due.id, due.made_at, self._server)

    async def _failed(self, due: Due, reason: str, said: str, *, is_final: bool) -> None:
        failed.labels(reason).inc()
        now = self._clock.now()
        again = None if is_final else rules.next_try(due.attempts, now, due.expires_at)
        if again is None:
            log.warning("mail %s (%s) is given up: %s", due.id, due.template, reason)
            await self.outbox.give_up(due.id, now, reason, said)
        else:
            await self.outbox.put_off(due.id, again, reason, said)
