"""Documents as agents tell them, for tests."""

from __future__ import annotations

from typing import Any

CONTAINERS: dict[str, Any] = {
    "containers": [
        {
            "id": "0f3a9c1d2b4e",
            "name": "shop-web-1",
            "image": "registry.example/shop/web:4.2",
            "runtime": "docker",
            "state": "running",
            "health": "unhealthy",
            "restarts": 3,
            "started": 1_795_000_000_000,
            "cpu": 0.25,
            "memory": 268_435_456,
            "memory_limit": 536_870_912,
        },
        {"id": "77aa", "name": "backup", "state": "exited", "health": None, "cpu": None},
    ],
    "runtimes": ["docker"],
}
UNITS: dict[str, Any] = {
    "units": [
        {"name": "backup.service", "load": "loaded", "active": "failed", "sub": "failed", "restarts": 5},
        {"name": "ssh.service", "load": "loaded", "active": "active", "sub": "running"},
    ],
    "manager": "degraded",
}
DISKS: dict[str, Any] = {
    "disks": [{"device": "/dev/sda", "model": "X", "healthy": False, "problems": ["8 sectors wait"]}],
    "arrays": [{"device": "md0", "level": "raid1", "devices": 2, "working": 1, "failed": 1, "progress": 0.5}],
}
PROCESSES: dict[str, Any] = {
    "cpu": [{"pid": 7, "name": "postgres", "command": "postgres: writer", "user": "postgres", "cpu": 1.5}],
    "memory": [],
}
FACTS = {"os.description": "Debian GNU/Linux 12", "host.name": "web-1"}
CHECKS = {"revision": 2, "checks": [{"id": "1", "status": "down"}, {"id": "2", "status": "up"}]}
CUSTOM = {
    "sources": [{"kind": "statsd", "name": "statsd", "series": 9, "dropped": 3, "offender": "hits", "at": 1}]
}
POLICY = {"actions": ["refresh"], "frozen": False, "digest": "ab"}
COLLECTOR_KEY = {"key": "a" * 43, "epoch": 1, "successor": None, "refused": "succession_forged"}
EVERY: dict[str, dict[str, Any]] = {
    "facts": FACTS,
    "processes": PROCESSES,
    "containers": CONTAINERS,
    "units": UNITS,
    "disks": DISKS,
    "checks": CHECKS,
    "custom": CUSTOM,
    "policy": POLICY,
    "collector_key": COLLECTOR_KEY,
}
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "\u202egnp.exe",
    "{{ 7 * 7 }}",
    "'; DROP TABLE notices; --",
    "x" * 1_000,
)
