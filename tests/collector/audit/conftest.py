"""The whole collector process, and its audit log as the database has it."""

from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "runtime", "site"]
