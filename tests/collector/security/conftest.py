"""The whole collector process, as somebody meets it who means no good."""

from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "runtime", "site"]
