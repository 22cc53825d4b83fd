"""Programs that bring metrics of their own: their tokens, their caps, and what each sends."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.senders.pages import SenderPages
from pudim_collector.features.senders.personal import PERSONAL
from pudim_collector.features.senders.routes import SendersApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="senders",
    controllers=[SendersApi, SenderPages],
    permissions={
        "senders:read": Permission("See what other programs send", Role.VIEWER),
        "senders:write": "Make and revoke tokens for other programs' metrics, and set their caps",
    },
    navigation=[NavigationEntry("Senders", "/senders", "transfer-in", "senders:read")],
    migrations=MigrationApp("senders", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
)
