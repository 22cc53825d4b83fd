"""What the collector is told about this host, by OpenTelemetry's resource names where there are any."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from pudim import __version__
from pudim.wire.layouts import MAX_TEXT
from pudim_agent.addresses import addresses
from pudim_agent.files import beginning
from pudim_agent.text import printable
from pudim_agent.virtualization import virtualization

_ADDRESSES = 8


def host_facts(root: str = "", addresses_of: Callable[[], list[str]] = addresses) -> dict[str, str]:
    """Whatever is known here; `root` is where /proc, /sys, /etc and /run are."""
    system = os.uname()
    found = {
        "host.name": printable(os.fsencode(system.nodename)),
        "host.arch": system.machine,
        "host.cpu.model.name": _first(f"{root}/proc/cpuinfo", b"model name", b":"),
        "host.cpu.count": str(os.cpu_count() or ""),
        "host.memory": _memory(f"{root}/proc/meminfo"),
        "host.ip": _join(addresses_of),
        "host.model": _model(root),
        "host.virtualization": virtualization(root),
        "host.timezone": _timezone(f"{root}/etc"),
        "os.type": system.sysname.lower(),
        "os.kernel": printable(os.fsencode(system.release)),
        "os.description": _first(f"{root}/etc/os-release", b"PRETTY_NAME", b"="),
        "pudim.agent.version": __version__,
        "process.runtime.version": sys.version.partition(" ")[0],
    }
    return {key: text for key, text in found.items() if text}


def _first(path: str, name: bytes, separator: bytes) -> str:
    for line in beginning(path).splitlines():
        key, found, value = line.partition(separator)
        if found and key.strip() == name:
            return printable(value.strip().strip(b"\"'"))
    return ""


def _memory(path: str) -> str:
    """In bytes."""
    kibibytes = _first(path, b"MemTotal", b":").partition(" ")[0]
    return str(int(kibibytes) * 1024) if kibibytes.isdigit() else ""


def _join(addresses_of: Callable[[], list[str]]) -> str:
    """The first ones, whole, as many as a text may hold."""
    try:
        found = addresses_of()[:_ADDRESSES]
    except OSError:
        return ""
    while len(", ".join(found)) > MAX_TEXT:
        found.pop()
    return ", ".join(found)


def _model(root: str) -> str:
    """Maker and product by DMI, or the one text of a device tree."""
    folder = f"{root}/sys/class/dmi/id"
    words = [beginning(f"{folder}/{name}").strip() for name in ("sys_vendor", "product_name")]
    words = [word for word in words if word] or [
        beginning(f"{root}/proc/device-tree/model").strip(b"\0 \n"),
    ]
    return printable(b" ".join(words)) if words[0] else ""


def _timezone(etc: str) -> str:
    try:
        _, _, name = os.readlink(f"{etc}/localtime").partition("zoneinfo/")  # noqa: PTH115
    except OSError:
        name = ""
    return printable(os.fsencode(name)) if name else _line(f"{etc}/timezone")


def _line(path: str) -> str:
    line = beginning(path).partition(b"\n")[0].strip()
    return printable(line) if line else ""
