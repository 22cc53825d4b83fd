"""Adapters to what we did not write: the database driver, the web framework, templates, metrics."""
