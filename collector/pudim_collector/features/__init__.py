"""Slices of the product, each with the same file names; see docs/architecture.md for the order of knowledge."""
