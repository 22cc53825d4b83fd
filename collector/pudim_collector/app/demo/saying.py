"""What a simulated server's agent would have said of its host beside figures: facts, containers, units, processes, disks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pudim.wire.messages import Notice
from pudim_collector.app.demo.machines import DB, WEB, WORKER, Machine, Process
from pudim_collector.app.demo.signals import DAY

_IMAGES = {
    "nginx": "nginx:1.27",
    "gunicorn": "registry.example/shop/web:4.2.1",
    "redis-server": "redis:7.4",
    "celery": "registry.example/shop/worker:4.2.1",
    "ffmpeg": "registry.example/shop/media:2.0.3",
}
_COMMANDS = {
    "nginx": "nginx: worker process",
    "gunicorn": "/srv/shop/bin/gunicorn shop.wsgi --workers 9 --bind 127.0.0.1:8000",
    "redis-server": "/usr/bin/redis-server 127.0.0.1:6379",
    "postgres": "postgres: shop shop 10.20.0.11(51324) SELECT",
    "pgbouncer": "/usr/sbin/pgbouncer -d /etc/pgbouncer/pgbouncer.ini",
    "celery": "/srv/shop/bin/celery -A shop worker --broker redis://:***@10.20.0.31/0",
    "ffmpeg": "ffmpeg -i upload.mov -c:v libx264 -preset slow out.mp4",
}
_USERS = {"nginx": "www-data", "gunicorn": "shop", "celery": "shop", "ffmpeg": "shop", "postgres": "postgres"}
_SERVICES = (
    ("ssh.service", "OpenBSD Secure Shell server"),
    ("cron.service", "Regular background program processing daemon"),
    ("systemd-journald.service", "Journal Service"),
    ("systemd-timesyncd.service", "Network Time Synchronization"),
    ("systemd-networkd.service", "Network Configuration"),
    ("dbus.service", "D-Bus System Message Bus"),
    ("unattended-upgrades.service", "Unattended Upgrades Shutdown"),
    ("pudim-agent.service", "Pudim agent"),
)
_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer", "logrotate.timer", "fstrim.timer", "backup.timer")


def notices_of(machine: Machine, at: int) -> Iterator[Notice]:
    """All at `at`, in Unix milliseconds."""
    documents = {
        "facts": _facts(machine),
        "processes": _processes(machine, at),
        "units": _units(machine, at),
        "disks": _disks(machine),
        "custom": _sources(machine, at),
        "policy": {"actions": [], "frozen": False, "digest": ""},
    }
    if machine.kind in {WEB, WORKER}:
        documents["containers"] = _containers(machine, at)
    yield from (Notice(kind, at, document) for kind, document in documents.items())


def _facts(machine: Machine) -> dict[str, str]:
    return {
        **machine.facts,
        "os.kernel": "6.1.0-37-amd64",
        "host.cpu.model.name": "AMD EPYC 9354P 32-Core Processor",
        "host.cpu.count": str(machine.kind.cores),
        "host.memory": str(machine.kind.memory),
        "host.ip": f"10.20.0.{machine.number + 11}, fd00:20::{machine.number + 11:x}",
        "host.virtualization": "kvm",
        "host.timezone": "Etc/UTC",
    }


def _processes(machine: Machine, at: int) -> dict[str, Any]:
    every = [_process(machine, place, one, at) for place, one in enumerate(machine.kind.processes)]
    return {
        "cpu": sorted(every, key=lambda one: -one["cpu"]),
        "memory": sorted(every, key=lambda one: -one["memory"]),
    }


def _process(machine: Machine, place: int, one: Process, at: int) -> dict[str, Any]:
    kind = machine.kind
    return {
        "pid": 1 if one.name == "systemd" else 700 + 131 * place,
        "name": one.name,
        "command": _COMMANDS.get(one.name, f"/usr/sbin/{one.name}"),
        "user": _USERS.get(one.name, "root"),
        "cpu": round((kind.idle + kind.swing / 2) * kind.cores * one.cpu / one.count, 4),
        "memory": int(kind.used * kind.memory * one.memory / one.count),
        "threads": max(1, one.threads // one.count),
        "started": at - 3 * DAY - place * 60_000,
    }


def _containers(machine: Machine, at: int) -> dict[str, Any]:
    found = []
    for place, one in enumerate(process for process in machine.kind.processes if process.name in _IMAGES):
        sick = machine.kind is WORKER and place == 1
        name = f"shop-{one.name.removesuffix('-server')}-1"
        shares = _process(machine, place, one, at)
        found.append(
            {
                "id": f"{(machine.number + 1) * 7919 * (place + 3):012x}",
                "name": name,
                "image": _IMAGES[one.name],
                "runtime": "docker",
                "state": "running",
                "health": "unhealthy" if sick else "healthy",
                "restarts": 4 if sick else 0,
                "started": at - 3 * DAY,
                "cpu": round(shares["cpu"] * one.count, 4),
                "memory": shares["memory"] * one.count,
                "memory_limit": machine.kind.memory // 2,
            }
        )
    done = {"id": f"{(machine.number + 1) * 104_729:012x}", "name": "shop-migrate-1", "state": "exited"}
    found.append({**done, "image": _IMAGES["gunicorn"], "runtime": "docker", "restarts": 0})
    return {"containers": found, "runtimes": ["docker"]}


def _units(machine: Machine, at: int) -> dict[str, Any]:
    failed = machine.kind is DB
    units = [
        _unit("backup.service", "Nightly backup", at - DAY // 4, "failed" if failed else "inactive"),
        *(_unit(name, words, at - 3 * DAY) for name, words in _SERVICES),
        *(_unit(name, f"{name.removesuffix('.timer')} at its time", at - 3 * DAY) for name in _TIMERS),
        *(
            _unit(
                f"{'-' if one.point == '/' else one.point.strip('/').replace('/', '-')}.mount",
                one.point,
                at - 3 * DAY,
            )
            for one in machine.kind.mounts
        ),
    ]
    return {"units": units, "manager": "degraded" if failed else "running"}


def _unit(name: str, description: str, since: int, active: str = "active") -> dict[str, Any]:
    running = {"service": "running", "timer": "waiting", "mount": "mounted"}[name.rpartition(".")[2]]
    sub = {"active": running, "failed": "failed", "inactive": "dead"}[active]
    said = {"name": name, "description": description, "load": "loaded", "active": active, "sub": sub}
    return {**said, "restarts": 0, "since": since}


def _disks(machine: Machine) -> dict[str, Any]:
    disks = [
        {
            "device": one.device.rstrip("0123456789"),
            "model": "QEMU HARDDISK",
            "serial_end": f"{machine.number:02d}{place:02d}",
            "healthy": True,
            "temperature": None,
            "hours": 9_000.0 + 100 * machine.number,
            "wear": 0.03,
            "problems": ["2 sectors wait to be moved"] if machine.kind is DB and place else [],
        }
        for place, one in enumerate(machine.kind.mounts)
    ]
    return {"disks": disks, "arrays": []}


def _sources(machine: Machine, at: int) -> dict[str, Any]:
    if machine.kind is not WEB:
        return {"sources": []}
    statsd = {"kind": "statsd", "name": "statsd", "series": 42, "dropped": 0, "at": at}
    return {
        "sources": [statsd, {"kind": "textfile", "name": "backup.prom", "series": 3, "dropped": 0, "at": at}]
    }
