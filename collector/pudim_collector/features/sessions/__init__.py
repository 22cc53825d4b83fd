"""Who is signed in where: the ways in, the second step, fresh proofs, and ending a session."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.sessions.pages import SessionPages
from pudim_collector.features.sessions.personal import KEPT, PERSONAL
from pudim_collector.features.sessions.routes import SessionRoutes
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature, NavigationEntry
from pudim_collector.infra.permissions import Permission, Role

FEATURE = Feature(
    name="sessions",
    controllers=(SessionRoutes, SessionPages),
    permissions={
        "account:secure": Permission("Change one's own password, second factors and sessions", Role.GUEST)
    },
    account_tabs=(NavigationEntry("Sessions", "/account/sessions", "device-desktop", "account:secure"),),
    migrations=MigrationApp("sessions", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
    kept=KEPT,
)
