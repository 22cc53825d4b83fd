"""Which mails are about a person, for mail is no feature; and how long it is remembered, by a pseudonym, that somebody was deleted."""

from __future__ import annotations

from pudim_collector.infra.mail.rules import DEAD_KEPT
from pudim_collector.infra.personal import Kept, Section, erased, told

PERSONAL = (
    Section(
        "mails",
        "Mails to you that wait to be sent, or that no mail server took",
        frozenset({"mail_outbox.recipient"}),
        told(
            "SELECT id, recipient, template, made_at, expires_at, attempts, dead_at, failed FROM mail_outbox"
            " WHERE lower(recipient) = {email} ORDER BY made_at, id"
        ),
        erased("DELETE FROM mail_outbox WHERE lower(recipient) = {email}"),
    ),
)
KEPT = (
    Kept(
        "mails",
        "Mails that no mail server took",
        DEAD_KEPT.days,
        1,
        DEAD_KEPT.days,
        "DELETE FROM mail_outbox WHERE id IN (SELECT id FROM mail_outbox WHERE dead_at < {before} LIMIT {most})",
    ),
    Kept(
        "deleted_people",
        "That an account was deleted, under its pseudonym",
        400,
        30,
        3650,
        "DELETE FROM deleted_people WHERE id IN"
        " (SELECT id FROM deleted_people WHERE deleted_at < {before} LIMIT {most})",
    ),
)
