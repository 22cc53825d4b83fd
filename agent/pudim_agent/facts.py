"""What the collector is told about this host when a connection opens, by OpenTelemetry's resource names."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pudim_agent.samplers import read
from pudim_agent.text import printable


def host_facts(proc: str = "/proc", etc: str = "/etc") -> dict[str, str]:
    system = os.uname()
    found = {
        "host.name": printable(os.fsencode(system.nodename)),
        "host.arch": system.machine,
        "os.type": system.sysname.lower(),
        "os.kernel": printable(os.fsencode(system.release)),
        "os.description": _first(f"{etc}/os-release", b"PRETTY_NAME", b"="),
        "host.cpu.model.name": _first(f"{proc}/cpuinfo", b"model name", b":"),
    }
    return {key: text for key, text in found.items() if text}


def _first(path: str, name: bytes, separator: bytes) -> str:
    try:
        lines: Iterable[bytes] = read(path).splitlines()
    except OSError:
        return ""
    for line in lines:
        key, found, value = line.partition(separator)
        if found and key.strip() == name:
            return printable(value.strip().strip(b"\"'"))
    return ""
