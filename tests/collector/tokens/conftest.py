"""Accounts and their tokens behind the real edge, and a whole collector process where servers and teams matter."""

from tests.collector.accounts.conftest import house, make_house
from tests.collector.app.site import clock, runtime, site
from tests.collector.teams.conftest import app, owner, team

__all__ = ["app", "clock", "house", "make_house", "owner", "runtime", "site", "team"]
