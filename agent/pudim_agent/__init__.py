"""Pudim's agent: samples this host and streams signed frames to the collector."""
