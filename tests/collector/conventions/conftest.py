"""The whole collector process, whose API is asked as programs ask it."""

from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "runtime", "site"]
