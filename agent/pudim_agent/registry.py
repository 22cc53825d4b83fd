"""The registry of plugin families, which the agent's samplers and actions share with checks."""

from __future__ import annotations

from pudim.vocabulary.registry import DuplicateKind, Registry

__all__ = ["DuplicateKind", "Registry"]
