"""Metrics that other programs on this host bring through the agent: read, bounded, and told apart from its own."""
