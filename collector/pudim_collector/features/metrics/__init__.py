"""Metrics of servers: latest values, ranges, and live pages."""
