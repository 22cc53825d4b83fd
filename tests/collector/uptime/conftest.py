"""The whole collector process, shared by the tests of what stands on it."""

from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "runtime", "site"]
