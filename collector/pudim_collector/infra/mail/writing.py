"""Writes a mail: text and HTML from templates, where what people typed is neither markup nor a line of its own, and its envelope."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context
from markupsafe import Markup

import pudim_web
from pudim_collector.infra.language import SOURCE, negotiated
from pudim_collector.infra.language_reader import Reader, teach
from pudim_collector.infra.mail.addresses import address, domain
from pudim_collector.infra.mail.errors import BadMail
from pudim_collector.infra.mail.server import SmtpServer

LONGEST_SUBJECT = 200
LONGEST_PART = 1 << 18
LONGEST_VALUE = 4096
"""Of one value that a template shows."""
_TEMPLATE = re.compile(r"[a-z][a-z_]{0,63}")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""Control characters, line breaks of all kinds, and what turns the direction of writing."""


@dataclass(frozen=True)
class Mail:
    """`template` names what it is, for the figures and lists."""

    to: str
    template: str
    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


class Writer:
    """Templates are `mail/_<name>.txt` and `mail/_<name>.html`; `language` is for who chose none."""

    def __init__(self, templates: Path = pudim_web.TEMPLATES, language: str = SOURCE) -> None:
        self._language = language
        self._environments = {kind: _environment(templates, kind) for kind in ("txt", "html")}

    def write(
        self, to: str, template: str, subject: str, context: Mapping[str, Any], language: str | None = None
    ) -> Mail:
        """In a person's language, where he chose one. Raises BadAddress or BadMail."""
        reader = Reader(negotiated(language, "", self._language))
        subject = reader.said(subject)
        if not _TEMPLATE.fullmatch(template):
            raise BadMail("There is no such template.")
        if not subject or len(subject) > LONGEST_SUBJECT or _UNSEEN.search(subject):
            raise BadMail("A subject is one line of at most 200 characters.")
        said = {**context, "subject": subject, "page": {"reader": reader}}
        text, html = (
            made.get_template(f"mail/_{template}.{kind}").render(said)
            for kind, made in self._environments.items()
        )
        if len(text) > LONGEST_PART or len(html) > LONGEST_PART:
            raise BadMail("The mail is too long.")
        return Mail(address(to), template, subject, text, html)


def _environment(templates: Path, kind: str) -> Environment:
    """`_()` and what else depends on the reader is as in pages, but for values: each is one line, and text is no markup."""
    made = Environment(
        loader=FileSystemLoader(templates),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        finalize=_in_one_line,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    teach(made)

    @pass_context
    def words(context: Context, message: str, **values: object) -> str:
        reader: Reader = context["page"]["reader"]
        shown = {name: _in_one_line(value) for name, value in values.items()}
        if kind == "html":
            return reader.words(message, **shown)
        found = reader.language.translated(message)
        return found % shown if shown else found

    made.globals |= {"_": words, "web_address": _web_address}
    return made


def message(mail: Mail, mail_id: UUID, now: datetime, server: SmtpServer) -> EmailMessage:
    """What goes over the wire. A mail that is sent again keeps its id, by which a mail server may know it."""
    made = EmailMessage(policy=SMTP)
    made["From"] = Address(server.sender_name, addr_spec=server.sender)
    made["To"] = Address(addr_spec=mail.to)
    made["Subject"] = mail.subject
    made["Date"] = format_datetime(now)
    made["Message-ID"] = f"<{mail_id}@{domain(server.sender)}>"
    made["Auto-Submitted"] = "auto-generated"
    made["X-Auto-Response-Suppress"] = "All"
    made.set_content(mail.text, cte="quoted-printable")
    made.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    return made


def printable(text: str, longest: int) -> str:
    """One line of what a stranger said, which can steer no terminal."""
    return _UNSEEN.sub(" ", text).strip()[:longest]


def _in_one_line(value: object) -> object:
    return (
        printable(value, LONGEST_VALUE) if isinstance(value, str) and not isinstance(value, Markup) else value
    )


def _web_address(value: str) -> str:
    """A link leads to a page, never to a script."""
    if not re.match(r"https?://", value) or _UNSEEN.search(value):
        raise BadMail("A link of a mail must be a web address.")
    return value
