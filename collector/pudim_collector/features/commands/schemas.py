"""Commands at the HTTP edge."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct, field

from pudim.wire.commands import MAX_ARGS
from pudim_collector.features.commands import rules
from pudim_collector.features.commands.service import CommandView

ArgumentName = Annotated[str, Meta(min_length=1, max_length=rules.LONGEST_WORD)]
ArgumentText = Annotated[str, Meta(max_length=rules.LONGEST_TEXT)]


class NewCommand(Struct, forbid_unknown_fields=True):
    """An action that the host's policy allows, such as `refresh`, `tail_log` or `restart_unit`, with its arguments."""

    action: Annotated[str, Meta(min_length=1, max_length=rules.LONGEST_WORD)]
    args: Annotated[dict[ArgumentName, ArgumentText | int | bool], Meta(max_length=MAX_ARGS)] = field(
        default_factory=dict
    )


class HostCommand(Struct):
    """A command. `status` is waiting, sent, done, failed, refused or expired; `code` and `detail` say why, where it was
    refused or failed. One that expired after it was sent may have been done all the same.
    """

    id: UUID
    action: str
    args: dict[str, str | int | bool]
    actor: str
    status: rules.Status
    asked_at: datetime
    sent_at: datetime | None
    ended_at: datetime | None
    code: str | None
    detail: str | None
    output: str | None
    truncated: bool | None

    @classmethod
    def of(cls, view: CommandView) -> HostCommand:
        one = view.record
        return cls(
            one.id,
            one.action,
            dict(one.args),
            one.actor,
            view.status,
            one.asked_at,
            one.sent_at,
            one.ended_at,
            one.code,
            one.detail,
            one.output,
            one.truncated,
        )


class HostCommandPage(Struct):
    items: list[HostCommand]
    next_cursor: str | None = None


class CommandForm(Struct):
    """One action's fields as they are typed; csrf_token is checked by the gate."""

    action: str = ""
    path: str = ""
    lines: str = ""
    unit: str = ""
    csrf_token: str = ""
