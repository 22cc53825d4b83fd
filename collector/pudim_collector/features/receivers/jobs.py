"""Sends entries to their receivers, each from where it is: what a dead one misses, it gets when it is back."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from pudim.vocabulary.errors import PudimError
from pudim_collector.features.audit.service import AuditLog, Document
from pudim_collector.features.receivers import queries, rules
from pudim_collector.features.receivers.queries import Receiver
from pudim_collector.infra import syslog
from pudim_collector.infra.safe_http import Outbound, Request
from pudim_collector.infra.telemetry import counter
from pudim_collector.kernel.clock import Clock

log = logging.getLogger(__name__)
sent = counter(
    "pudim_audit_entries_sent_total", "Entries that receivers took, by kind of receiver.", ["kind"]
)
failed = counter(
    "pudim_audit_sendings_failed_total", "Batches that receivers did not take, by kind.", ["kind"]
)
MOST_AT_ONCE = 500
MOST_BATCHES = 20
_LONGEST_SAID = 300


class WebhookRefusedError(PudimError):
    """The webhook's server answered with another status than 200 to 299."""

    code = "webhook_refused"
    retry = True


@dataclass(frozen=True)
class Delivery:
    """`host` is how this collector is called in syslog messages."""

    audit: AuditLog
    clock: Clock
    host: str
    outbound: Outbound
    tls: ssl.SSLContext | None = None

    async def run_once(self) -> None:
        """Every receiver that is due, side by side: a slow one holds nobody up."""
        now = self.clock.now()
        due = [one for one in await queries.receivers() if one.next_try_at is None or one.next_try_at <= now]
        async with asyncio.TaskGroup() as group:
            for one in due:
                group.create_task(self._catch_up(one))

    async def _catch_up(self, receiver: Receiver) -> None:
        sequence = receiver.sequence
        for _ in range(MOST_BATCHES):
            batch = await self.audit.after(receiver.chain, sequence, MOST_AT_ONCE)
            if not batch:
                return
            try:
                await self._send(receiver, batch)
            except PudimError as error:
                await self._failed(receiver, error)
                return
            sequence = batch[-1].fields["sequence"]
            sent.labels(receiver.kind).inc(len(batch))
            await queries.has_sent(receiver.id, sequence, self.clock.now())

    async def _send(self, receiver: Receiver, batch: Sequence[Document]) -> None:
        if receiver.kind == rules.WEBHOOK:
            await self._post(receiver, batch)
            return
        host, port = receiver.settings["host"], receiver.settings["port"]
        lines = [rules.syslog_line(one.fields, self.host, one.words) for one in batch]
        if receiver.kind == "syslog_udp":
            await syslog.send_datagrams(host, port, lines)
        else:
            tls = self._context() if receiver.kind == "syslog_tls" else None
            await syslog.send_stream(host, port, lines, tls=tls)

    async def _post(self, receiver: Receiver, batch: Sequence[Document]) -> None:
        body = b"".join(rules.json_line(one.fields) for one in batch)
        # The same batch sent again bears the same name, so that a receiver can know it.
        headers = {
            "Content-Type": "application/x-ndjson",
            "Idempotency-Key": f"{receiver.id}-{batch[0].fields['sequence']}-{batch[-1].fields['sequence']}",
        }
        request = Request(receiver.settings["url"], "POST", headers, body)
        answer = await self.outbound.send(request, purpose="audit")
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - what HTTP calls success
            raise WebhookRefusedError(f"The server answered with status {answer.status}.")

    def _context(self) -> ssl.SSLContext:
        return self.tls or ssl.create_default_context()

    async def _failed(self, receiver: Receiver, error: PudimError) -> None:
        now = self.clock.now()
        failed.labels(receiver.kind).inc()
        log.warning("the audit log's receiver %s did not take its entries: %s", receiver.id, error.code)
        again = now + rules.pause(receiver.failures)
        await queries.has_failed(receiver.id, error.detail[:_LONGEST_SAID], now, again)
