"""What agents said of hosts, as pages get it: plain hosts, hostile ones, and such as never told anything."""

from __future__ import annotations

from typing import Any

from pudim_collector.features.metrics.rules import Group, charts_of

SAID_AT = "2026-11-22T16:39:40+00:00"
LONG_AGO = "2026-11-20T08:00:00+00:00"
KINDS = ("facts", "processes", "containers", "units", "disks", "checks", "custom", "policy")
NOTHING: dict[str, Any] = dict.fromkeys(KINDS)
BASIC = (
    "system.cpu.utilization",
    "system.cpu.logical.utilization",
    "system.cpu.load_average.1m",
    "system.cpu.load_average.5m",
    "system.cpu.load_average.15m",
    "system.memory.usage",
    "system.memory.utilization",
    "system.paging.usage",
    "system.paging.operations.rate",
    "system.linux.pressure.share",
    "system.filesystem.usage",
    "system.filesystem.utilization",
    "system.disk.io.rate",
    "system.disk.operations.rate",
    "system.disk.await",
    "system.disk.utilization",
    "system.network.io.rate",
    "system.network.packet.rate",
    "system.network.errors.rate",
    "system.network.dropped.rate",
    "process.cpu.utilization",
    "process.memory.usage",
)


def groups(*more: str) -> list[Group]:
    return charts_of(frozenset({*BASIC, *more}))


def container(number: int, name: str | None, **known: Any) -> dict[str, Any]:
    return {
        "id": f"{number:012x}",
        "name": name,
        "image": "registry.example/shop/web:4.2",
        "runtime": "docker",
        "state": "running",
        "health": None,
        "restarts": 0,
        "started": LONG_AGO,
        "cpu": 0.07 * number,
        "memory": 180_000_000 * number,
        "memory_limit": 1 << 30,
        **known,
    }


def unit(name: str, active: str = "active", sub: str = "running", **known: Any) -> dict[str, Any]:
    said = {"name": name, "description": f"The {name}", "load": "loaded", "active": active, "sub": sub}
    return {**said, "restarts": 0, "since": LONG_AGO, **known}


def process(pid: int, name: str, **known: Any) -> dict[str, Any]:
    said = {
        "pid": pid,
        "name": name,
        "command": f"/usr/bin/{name} --config /etc/{name}.conf",
        "user": "www-data",
    }
    return {**said, "cpu": 0.31, "memory": 300_000_000, "threads": 12, "started": LONG_AGO, **known}


def host(text: str = "web", *, old: bool = False) -> dict[str, Any]:
    """Of every kind something; `text` stands wherever a host may choose what is said."""
    documents: dict[str, Any] = {
        "facts": {
            "host.name": text,
            "os.description": "Debian GNU/Linux 12 (bookworm)",
            "os.kernel": "6.12.30",
            "host.cpu.model.name": "AMD EPYC 7543P 32-Core Processor",
            "host.ip": "192.0.2.17, 2001:db8::17",
            "site.rack": text,
        },
        "processes": {
            "cpu": [process(812, text, command=text), process(9, "postgres", cpu=1.42)],
            "memory": [
                process(9, "postgres", cpu=1.42),
                process(77, "redis-server", user=None, threads=None),
            ],
        },
        "containers": {
            "containers": [
                container(1, text, health="unhealthy", restarts=7, image=text),
                container(2, "shop-api-1", health="healthy", memory_limit=None),
                container(3, "shop-worker-1", memory=1_020_000_000),
                container(4, "migrate", state="exited", cpu=None, memory=None, restarts=None, started=None),
                container(5, None, image=None, runtime=None, state=None),
                container(6, "cache", state=text),
                container(7, "starting-up", health="starting"),
            ],
            "runtimes": ["docker", "podman"],
            "problems": [text],
        },
        "units": {
            "units": [
                unit("backup.service", "failed", "failed", restarts=5),
                unit(text, description=text),
                unit("apt-daily.timer", sub="waiting"),
                unit("old.mount", "inactive", "dead", load="masked", since=None, restarts=None),
                *(unit(f"worker@{number}.service") for number in range(9)),
                unit("odd.service", text, text),
            ],
            "manager": "degraded",
        },
        "disks": {
            "disks": [
                disk("/dev/nvme0n1", model=text),
                disk(
                    "/dev/sda",
                    healthy=False,
                    problems=[text, "24 sectors wait to be moved"],
                    temperature=51.0,
                ),
                disk("/dev/sdb", healthy=None, model=None, temperature=None, hours=None, wear=None),
                disk("/dev/sdc", problems=["1 error in its log"], hours=20.0),
            ],
            "arrays": [
                array("md0", state=text),
                array("md1", working=1, failed=1, state="recovering", progress=0.42),
                array("md2", devices=None, working=None, failed=None, state=None),
            ],
        },
        "checks": {"revision": 1, "checks": []},
        "custom": {
            "sources": [
                source("textfile", text),
                source("statsd", "statsd", dropped=12, offender=text),
                source("scrape", "nginx", series=None, error=text, at=None),
            ]
        },
        "policy": {"actions": ["refresh"], "frozen": False, "digest": "ab"},
    }
    at = LONG_AGO if old else SAID_AT
    return {kind: {"at": at, "received_at": at, "old": old, "document": documents[kind]} for kind in KINDS}


def disk(device: str, **known: Any) -> dict[str, Any]:
    said = {"device": device, "model": "Samsung SSD 980 PRO", "serial_end": "7K2M", "healthy": True}
    return {**said, "temperature": 38.0, "hours": 9_120.0, "wear": 0.04, "problems": [], **known}


def array(device: str, **known: Any) -> dict[str, Any]:
    said = {"device": device, "level": "raid1", "state": "active", "devices": 2, "working": 2, "failed": 0}
    return {**said, "progress": None, **known}


def source(kind: str, name: str, **known: Any) -> dict[str, Any]:
    said = {"kind": kind, "name": name, "series": 14, "dropped": 0, "offender": None, "error": None}
    return {**said, "at": SAID_AT, **known}


def empty() -> dict[str, Any]:
    """Everything told, and nothing there."""
    documents: dict[str, Any] = {
        "facts": {},
        "processes": {"cpu": [], "memory": []},
        "containers": {"containers": [], "runtimes": ["podman"], "problems": []},
        "units": {"units": [], "manager": None},
        "disks": {"disks": [], "arrays": []},
        "checks": {"revision": 0, "checks": []},
        "custom": {"sources": []},
        "policy": {"actions": [], "frozen": True, "digest": None},
    }
    return {
        kind: {"at": SAID_AT, "received_at": SAID_AT, "old": False, "document": documents[kind]}
        for kind in KINDS
    }
