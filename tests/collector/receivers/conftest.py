"""The whole collector process, whose audit entries are sent on."""

from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "runtime", "site"]
