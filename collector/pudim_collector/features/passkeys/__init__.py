"""Passkeys: to sign in without a password, as a second factor, and to prove again who one is."""

from __future__ import annotations

from pathlib import Path

from pudim_collector.features.passkeys.pages import PasskeyPages
from pudim_collector.features.passkeys.personal import PERSONAL
from pudim_collector.features.passkeys.routes import PasskeyRoutes
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(
    name="passkeys",
    controllers=(PasskeyRoutes, PasskeyPages),
    migrations=MigrationApp("passkeys", Path(__file__).parent / "piccolo_migrations"),
    personal=PERSONAL,
)
