"""PostgreSQL for everyone: one engine for Piccolo's tables and for raw SQL, and one pool per process."""

import os

from pudim_collector.infra.database.engine import PsycopgEngine
from pudim_collector.infra.database.pool import Connection, SessionSettings, connect
from pudim_collector.infra.database.read_pool import QueryTimeout, ReadPool
from pudim_collector.infra.database.transactions import IsolationLevel, Transaction

database = PsycopgEngine()

# Piccolo's migrations ask for their engine by this name and cannot be given one.
os.environ.setdefault("PICCOLO_CONF", "pudim_collector.infra.database.piccolo_conf")

__all__ = [
    "Connection",
    "IsolationLevel",
    "PsycopgEngine",
    "QueryTimeout",
    "ReadPool",
    "SessionSettings",
    "Transaction",
    "connect",
    "database",
]
