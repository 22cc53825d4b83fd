"""What a host needs to get the agent from this collector: the install script and a signed release."""

from __future__ import annotations

from pudim_collector.features.installing.routes import AgentBundle
from pudim_collector.infra.manifest import Feature

FEATURE = Feature(name="installing", controllers=[AgentBundle])
