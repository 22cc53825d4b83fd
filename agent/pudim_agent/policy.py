"""What this host lets the collector do to it. The file is the host's; the collector can only ask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """By default the collector may watch and nothing else; there is no action yet that could be allowed."""

    observe: bool = True
