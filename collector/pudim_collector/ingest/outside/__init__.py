"""Metrics that other programs push: OTLP over HTTP and Prometheus' remote write, into the same frames as the agents'.

Read order: `samples` (what every protocol is turned into), `otlp` and `remote_write` (how), `intake` (which server,
which series, which frames), `endpoint` (HTTP).
"""
