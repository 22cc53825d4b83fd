"""Where the entries of the audit log are sent to: syslog and webhooks, each in order and none left out."""

from __future__ import annotations

from pudim_collector.features.receivers.pages import ReceiverPages
from pudim_collector.features.receivers.routes import AuditReceiversApi
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(name="receivers", controllers=[AuditReceiversApi, ReceiverPages])
