"""Hosts as trees of files, and one tick of samplers on them."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

from pudim_agent.samplers import Host, Reading, Tick, samplers

TREES = Path(__file__).with_name("hosts")
FAKE_SPACE = os.statvfs_result((4096, 4096, 1000, 400, 300, 500, 200, 100, 0, 255))
"""1000 blocks, 400 free, 300 of them for everybody; 500 inodes, 200 free, 100 of them for everybody."""


def host(name: str, copy_to: Path | None = None, **changes: Any) -> Host:
    tree = TREES / name
    if copy_to is not None:
        shutil.copytree(tree, copy_to, symlinks=True, dirs_exist_ok=True)
        tree = copy_to
    settings: dict[str, Any] = {
        "proc": str(tree / "proc"),
        "sys": str(tree / "sys"),
        "run": str(tree / "run"),
        "programs": str(tree / "bin"),
        "netlink": False,
        "statvfs": lambda _path: FAKE_SPACE,
    }
    return Host(**{**settings, **changes})


def make(kind: str, on: Host, **config: Any) -> Any:
    sampler = samplers[kind]
    return sampler(on, sampler.Config(**config))


def settled(kind: str, on: Host, **config: Any) -> Any:
    """A sampler whose slow source, if it has one, has answered once."""
    sampler = make(kind, on, **config)
    if slow := getattr(sampler, "slow", None):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(slow.refresh())
        loop.close()
    return sampler


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
