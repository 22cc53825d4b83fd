"""Who did what, when, from where and with which result: an append-only log whose entries are chained by hashes."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.audit.pages import AuditPages
from pudim_collector.features.audit.personal import KEPT, PERSONAL
from pudim_collector.features.audit.routes import AuditApi
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry

FEATURE = Feature(
    name="audit",
    controllers=[AuditApi, AuditPages],
    permissions={
        "audit:read": "See the audit log of the team",
        "audit:export": "Export the audit log",
        "audit:manage": "Set how long the audit log is kept",
        "installation:audit": "See the audit log of the installation, and choose where entries are sent",
    },
    navigation=[NavigationEntry("Audit log", "/audit", "search", "audit:read")],
    holdings={"Audit log": ["audit_entries"]},
    migrations=MigrationApp("audit", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
