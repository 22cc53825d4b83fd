"""What happens to the store's limits, for the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pudim_collector.infra.auditing import audited


@audited("retention.changed", "changed how long samples are kept", of_installation=True)
@dataclass(frozen=True)
class LimitsChanged:
    before: Mapping[str, Any]
    after: Mapping[str, Any]
