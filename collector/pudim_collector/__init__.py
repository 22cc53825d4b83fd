"""Pudim's collector: ingest, the time-series store, features, pages and the API."""
