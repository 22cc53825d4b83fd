"""A whole collector for each test."""

from __future__ import annotations

from tests.collector.app.site import clock, runtime, site

__all__ = ["clock", "runtime", "site"]
