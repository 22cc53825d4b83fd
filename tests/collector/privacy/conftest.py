"""A collector that is assembled but does not run, its web application, and its first team."""

from tests.collector.teams.conftest import app, clock, owner, runtime, team

__all__ = ["app", "clock", "owner", "runtime", "team"]
