"""What the agent's start costs, package by package: its own time to import, and the memory that comes with it."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from typing import Any

MODULE = "pudim_agent.loop"
ORDER = (
    "asyncio",
    "ssl",
    "cryptography.hazmat.primitives",
    "msgpack",
    "aiohttp",
    "pudim_agent.config",
    MODULE,
)
"""Memory is measured in this order: each with what those before it have not brought."""
_LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)")
_MEMORY = """
import json, sys
def resident():
    with open("/proc/self/statm") as found:
        return int(found.read().split()[1]) * 4096
sizes, before = {"python itself": resident()}, resident()
for name in sys.argv[1:]:
    __import__(name)
    sizes[name], before = resident() - before, resident()
print(json.dumps(sizes))
"""


def measure() -> dict[str, Any]:
    return {"milliseconds": milliseconds(), "resident_mb": megabytes()}


def milliseconds() -> dict[str, float]:
    """By package, the dearest first."""
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {MODULE}"],
        capture_output=True,
        text=True,
        check=True,
    )
    spent: dict[str, int] = defaultdict(int)
    for micros, module in _LINE.findall(found.stderr):
        spent[module.partition(".")[0]] += int(micros)
    ranked = sorted(spent.items(), key=lambda one: -one[1])
    shown = {name: round(micros / 1000, 1) for name, micros in ranked[:15]}
    return {"all": round(sum(spent.values()) / 1000, 1), **shown}


def megabytes() -> dict[str, float]:
    found = subprocess.run(
        [sys.executable, "-c", _MEMORY, *ORDER], capture_output=True, text=True, check=True
    )
    sizes: dict[str, int] = json.loads(found.stdout)
    return {name: round(size / 2**20, 2) for name, size in sizes.items()}
