"""Metrics of servers: latest values, ranges, and live pages."""

from __future__ import annotations

from pudim_collector.features.metrics.pages import MetricPages
from pudim_collector.features.metrics.routes import MetricsApi
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(name="metrics", controllers=[MetricsApi, MetricPages])
