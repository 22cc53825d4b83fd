"""What the mail commands do: with the database that runs or by themselves, and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pudim_collector.app.keys import collector_key, key_ring
from pudim_collector.app.process import migrate_database, shared_database
from pudim_collector.app.settings import Settings
from pudim_collector.infra.database import database
from pudim_collector.infra.mail.errors import MailNotConfigured
from pudim_collector.infra.mail.mailer import Mailer
from pudim_collector.infra.mail.outbox import SEALED_MAIL, Waiting
from pudim_collector.infra.mail.sending import hand_over
from pudim_collector.infra.mail.writing import Writer
from pudim_collector.infra.sealing import Sealers
from pudim_collector.kernel.clock import SystemClock
from pudim_collector.kernel.ids import new_id

_HEAD = ("id", "to", "what", "written", "tries", "state", "why")


async def sent_test(settings: Settings, address: str) -> None:
    """Raises MailError. Neither database nor keys are needed."""
    if settings.mail is None:
        raise MailNotConfigured
    mail = Writer().write(address, "test", "A test of Pudim's mail", {"address": settings.url})
    await hand_over(mail, new_id(), SystemClock().now(), settings.mail)


async def listed(settings: Settings) -> Sequence[Waiting]:
    async with shared_database(settings):
        await migrate_database()
        return await _mailer(settings).outbox.listed()


async def revived(settings: Settings, mail_id: UUID | None) -> int:
    async with shared_database(settings):
        await migrate_database()
        return await _mailer(settings).revive(mail_id)


async def discarded(settings: Settings, mail_id: UUID) -> bool:
    async with shared_database(settings):
        await migrate_database()
        return await _mailer(settings).outbox.remove(mail_id)


def table(mails: Sequence[Waiting]) -> str:
    if not mails:
        return "No mail waits, and none was given up."
    rows = [_HEAD, *(_row(one) for one in mails)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(mail: Waiting) -> tuple[str, ...]:
    state = f"given up {mail.dead_at:%Y-%m-%d %H:%M}" if mail.dead_at else f"next {mail.next_at:%H:%M:%S}"
    why = ": ".join(filter(None, (mail.failed, mail.failed_said)))
    return (
        *(str(mail.id), mail.recipient, mail.template, f"{mail.made_at:%Y-%m-%d %H:%M}"),
        *(str(mail.attempts), state, why),
    )


def _mailer(settings: Settings) -> Mailer:
    clock = SystemClock()
    sealers = Sealers(key_ring(settings, clock.now()), collector_key(settings.data_dir))
    return Mailer(database, settings.mail, sealers.of(SEALED_MAIL), clock)
