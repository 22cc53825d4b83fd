"""Accounts and their tokens behind the real edge, and a whole collector process where servers and teams matter."""

from tests.collector.accounts.conftest import house, make_house
from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "house", "make_house", "runtime", "site"]
