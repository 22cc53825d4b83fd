"""Hosts as trees of files, and one tick of samplers on them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from pudim_agent.samplers import Host, Reading, Tick, samplers

TREES = Path(__file__).with_name("hosts")
FAKE_SPACE = os.statvfs_result((4096, 4096, 1000, 400, 300, 0, 0, 0, 0, 255))
"""1000 blocks, 400 free, 300 of them for everybody."""


def host(name: str, copy_to: Path | None = None, **changes: Any) -> Host:
    tree = TREES / name
    if copy_to is not None:
        shutil.copytree(tree, copy_to, dirs_exist_ok=True)
        tree = copy_to
    settings: dict[str, Any] = {
        "proc": str(tree / "proc"),
        "sys": str(tree / "sys"),
        "statvfs": lambda _path: FAKE_SPACE,
    }
    return Host(**{**settings, **changes})


def make(kind: str, on: Host, **config: Any) -> Any:
    sampler = samplers[kind]
    return sampler(on, sampler.Config(**config))


def named(readings: list[Reading]) -> dict[str, float]:
    """Values by `metric{label values}`, the labels in the order of their keys."""
    found: dict[str, float] = {}
    for reading in readings:
        for one, value in zip(reading.series, reading.values, strict=True):
            labels = ",".join(text for _, text in (*reading.labels, *one.labels))
            name = f"{one.metric}{{{labels}}}"
            assert name not in found, name
            found[name] = value
    return found


def look(sampler: Any, seconds: float) -> dict[str, float]:
    return named(list(sampler.sample(Tick(int(seconds * 1000), seconds))))
