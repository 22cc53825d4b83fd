"""A whole collector process, to be asked from several addresses."""

from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "runtime", "site"]
