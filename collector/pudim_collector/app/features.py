"""Every feature, in the order in which their navigation is shown, and their tables, in the order in which they are made."""

from __future__ import annotations

from pudim_collector.features.accounts import FEATURE as ACCOUNTS
from pudim_collector.features.addresses import FEATURE as ADDRESSES
from pudim_collector.features.attempts import FEATURE as ATTEMPTS
from pudim_collector.features.audit import FEATURE as AUDIT
from pudim_collector.features.commands import FEATURE as COMMANDS
from pudim_collector.features.completeness import FEATURE as COMPLETENESS
from pudim_collector.features.conventions import FEATURE as CONVENTIONS
from pudim_collector.features.credentials import FEATURE as CREDENTIALS
from pudim_collector.features.factors import FEATURE as FACTORS
from pudim_collector.features.installing import FEATURE as INSTALLING
from pudim_collector.features.invitations import FEATURE as INVITATIONS
from pudim_collector.features.members import FEATURE as MEMBERS
from pudim_collector.features.metrics import FEATURE as METRICS
from pudim_collector.features.notices import FEATURE as NOTICES
from pudim_collector.features.passkeys import FEATURE as PASSKEYS
from pudim_collector.features.privacy import FEATURE as PRIVACY
from pudim_collector.features.profile import FEATURE as PROFILE
from pudim_collector.features.receivers import FEATURE as RECEIVERS
from pudim_collector.features.roles import FEATURE as ROLES
from pudim_collector.features.senders import FEATURE as SENDERS
from pudim_collector.features.servers import FEATURE as SERVERS
from pudim_collector.features.sessions import FEATURE as SESSIONS
from pudim_collector.features.storage import FEATURE as STORAGE
from pudim_collector.features.teams import FEATURE as TEAMS
from pudim_collector.features.tokens import FEATURE as TOKENS
from pudim_collector.features.uptime import FEATURE as UPTIME
from pudim_collector.infra.database.migrations import MigrationApp
from pudim_collector.infra.mail.outbox import MIGRATIONS as MAIL
from pudim_collector.infra.mail.outbox import SEALED_MAIL
from pudim_collector.infra.manifest import Feature
from pudim_collector.infra.rate_limits.stores import MIGRATIONS as RATE_LIMITS
from pudim_collector.series.statements import MIGRATIONS as SERIES_MIGRATIONS

FEATURES: list[Feature] = [
    SERVERS,
    NOTICES,
    COMMANDS,
    COMPLETENESS,
    METRICS,
    STORAGE,
    PROFILE,
    ATTEMPTS,
    SESSIONS,
    CREDENTIALS,
    PASSKEYS,
    FACTORS,
    ACCOUNTS,
    TOKENS,
    SENDERS,
    MEMBERS,
    INVITATIONS,
    ROLES,
    TEAMS,
    INSTALLING,
    UPTIME,
    ADDRESSES,
    AUDIT,
    RECEIVERS,
    PRIVACY,
    CONVENTIONS,
]
PERSONAL = [one for feature in FEATURES for one in feature.personal]
KEPT = [one for feature in FEATURES for one in feature.kept]
SEALED = [SEALED_MAIL, *(column for feature in FEATURES for column in feature.sealed)]
PERMISSIONS = {name: one for feature in FEATURES for name, one in feature.permissions.items()}
HOLDINGS = {name: tables for feature in FEATURES for name, tables in feature.holdings.items()}
_FIRST = (ACCOUNTS, TEAMS)
"""Whose tables others' rows refer to."""
MIGRATIONS = [
    MigrationApp("series", SERIES_MIGRATIONS),
    RATE_LIMITS,
    MAIL,
    *(
        feature.migrations
        for feature in [*_FIRST, *(one for one in FEATURES if one not in _FIRST)]
        if feature.migrations is not None
    ),
]
