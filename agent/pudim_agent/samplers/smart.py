"""What disks say of their own health, asked of `smartctl` where it is installed and may read them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pudim_agent.programs import find, output_of
from pudim_agent.samplers import Host, Reading, SamplerConfig, Series, Tick, samplers, series
from pudim_agent.slow import SlowFigures
from pudim_agent.text import printable

_MOST = 64  # disks
_PATIENCE, _MOST_BYTES = 60.0, 1 << 19
_UNREADABLE = (
    0b11  # of its exit status: a wrong call, or a device that it may not open; the rest are findings
)
# Of ATA's attributes, by their number.
_COUNTED = {
    5: "reallocated_sectors",
    187: "reported_uncorrectable",
    197: "pending_sectors",
    198: "offline_uncorrectable",
    199: "crc_errors",
}
_LEFT = (231, 177, 233)  # SSDs: how much endurance is left, from 100 downwards, whichever there is
_CRITICAL = {
    0: "spare space is low",
    1: "temperature is critical",
    2: "reliability is degraded",
    3: "it takes no more writes",
    4: "volatile memory backup failed",
}
_ABSURD = 1e18
_Document = Mapping[str, Any]


@dataclass(frozen=True)
class SmartConfig(SamplerConfig):
    minutes: float = field(
        default=60.0, metadata={"help": "Time between looks at the disks.", "low": 1.0, "high": 1440.0}
    )


class Disk(NamedTuple):
    """None is what the disk does not tell."""

    device: str
    model: str
    serial_end: str
    healthy: bool | None
    temperature: float | None
    hours: float | None
    wear: float | None
    counts: dict[str, float]
    problems: list[str]


@samplers.register("smart")
class Smart:
    """Seldom, one disk after the other, and none that sleeps is woken."""

    Config = SmartConfig

    def __init__(self, host: Host, config: SmartConfig) -> None:
        self._host = host
        self.slow = SlowFigures("disk health", self._ask, config.minutes * 60)
        self._program = find("smartctl", host.programs)
        self._disks: dict[str, Disk] = {}
        self._changed = False

    async def run(self) -> None:
        if self._program:
            await self.slow.run()

    def sample(self, tick: Tick) -> Iterable[Reading]:
        if self._changed:
            self._changed = False
            disks = [_told(disk) for disk in self._disks.values()]
            self._host.storage.tell_disks(self._host.notices, tick.time_ms, disks)
        yield self.slow.reading(tick.monotonic)

    async def _ask(self) -> dict[Series, float]:
        if self._program is None:
            return {}
        found: dict[str, Disk] = {}
        refused = 0
        for device, kind in await _devices(self._program):
            argv = (f"--device={kind}", "--info", "--health", "--attributes", "--nocheck=standby,0", device)
            status, document = await _smartctl(self._program, *argv)
            if status & _UNREADABLE:
                refused += 1
            elif (known := self._disks.get(device)) and _sleeps(document):
                found[device] = known
            else:
                found[device] = disk_of(device, document)
        if refused and not found:
            raise PermissionError(
                f"smartctl may not read {refused} disks; it must be root, or in the group disk"
            )
        self._disks, self._changed = found, True
        return {one: value for disk in found.values() for one, value in _figures(disk)}


async def _devices(program: str) -> list[tuple[str, str]]:
    """Paths and kinds, as smartctl names them. Neither can be taken for an option."""
    _, document = await _smartctl(program, "--scan")
    found = []
    for one in _list(document.get("devices"))[:_MOST]:
        device, kind = _text(one.get("name")), _text(one.get("type"))
        if device.startswith("/dev/") and kind:
            found.append((device, kind))
    return found


async def _smartctl(program: str, *arguments: str) -> tuple[int, _Document]:
    found = await output_of(program, "--json", *arguments, patience=_PATIENCE, most=_MOST_BYTES)
    document = json.loads(found.text)
    return found.status, _map(document)


def _sleeps(document: _Document) -> bool:
    return "smart_status" not in document and "temperature" not in document


def disk_of(device: str, document: _Document) -> Disk:
    """Whatever the document says: a disk's firmware and a controller's driver write it."""
    nvme = _map(document.get("nvme_smart_health_information_log"))
    attributes = _attributes(document)
    counts = _counts(document, nvme, attributes)
    passed = _map(document.get("smart_status")).get("passed")
    healthy = passed if isinstance(passed, bool) else None
    return Disk(
        device=printable(device.encode()),
        model=_text(document.get("model_name") or document.get("scsi_model_name")),
        serial_end=_text(document.get("serial_number"))[-4:],
        healthy=healthy,
        temperature=_number(_map(document.get("temperature")).get("current")),
        hours=_number(_map(document.get("power_on_time")).get("hours")),
        wear=_wear(document, nvme, attributes),
        counts=counts,
        problems=list(_problems(healthy, counts, nvme, attributes)),
    )


def _attributes(document: _Document) -> dict[int, _Document]:
    table = _list(_map(document.get("ata_smart_attributes")).get("table"))
    return {one["id"]: one for one in table if isinstance(one.get("id"), int)}


def _counts(document: _Document, nvme: _Document, attributes: Mapping[int, _Document]) -> dict[str, float]:
    found = {
        name: _number(_map(attributes[number].get("raw")).get("value"))
        for number, name in _COUNTED.items()
        if number in attributes
    }
    found["media_errors"] = _number(nvme.get("media_errors"))
    found["unsafe_shutdowns"] = _number(nvme.get("unsafe_shutdowns"))
    found["grown_defects"] = _number(document.get("scsi_grown_defect_list"))
    return {name: count for name, count in found.items() if count is not None}


def _wear(document: _Document, nvme: _Document, attributes: Mapping[int, _Document]) -> float | None:
    """The share of its endurance that is used; some disks go on beyond 1."""
    said = _map(document.get("endurance_used")).get("current_percent", nvme.get("percentage_used"))
    if (used := _number(said)) is not None:
        return used / 100
    for number in _LEFT:
        left = _number(attributes.get(number, {}).get("value"))
        if left is not None and left <= 100:  # noqa: PLR2004 - per cent
            return 1 - left / 100
    return None


def _problems(
    healthy: bool | None,
    counts: Mapping[str, float],
    nvme: _Document,
    attributes: Mapping[int, _Document],
) -> Iterable[str]:
    if healthy is False:
        yield "its own test says that it fails"
    for name in ("reallocated_sectors", "pending_sectors", "offline_uncorrectable", "media_errors"):
        if counts.get(name):
            yield f"{name.replace('_', ' ')}: {counts[name]:.0f}"
    warning = nvme.get("critical_warning")
    if isinstance(warning, int):
        yield from (said for bit, said in _CRITICAL.items() if warning >> bit & 1)
    for one in attributes.values():
        if one.get("when_failed") == "now":
            yield f"{_text(one.get('name'))} is beyond its limit"


def _figures(disk: Disk) -> Iterable[tuple[Series, float]]:
    labels = {"hw.id": disk.device, "hw.name": disk.model or disk.device, "hw.type": "physical_disk"}
    values: list[tuple[str, float | None, dict[str, str]]] = [
        ("hw.status", None if disk.healthy is None else float(disk.healthy), {"hw.state": "ok"}),
        ("hw.temperature", disk.temperature, {}),
        ("hw.physical_disk.endurance_utilization", disk.wear, {}),
        ("hw.physical_disk.smart", disk.hours, {"hw.smart_attribute": "power_on_hours"}),
        *(("hw.physical_disk.smart", n, {"hw.smart_attribute": name}) for name, n in disk.counts.items()),
    ]
    return ((series(metric, labels | more), value) for metric, value, more in values if value is not None)


def _told(disk: Disk) -> dict[str, Any]:
    told = disk._asdict()
    del told["counts"]
    return told


# What a program prints may have any shape.


def _map(value: Any) -> _Document:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[_Document]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return printable(value.encode(errors="replace")) if isinstance(value, str) and value else ""


def _number(value: Any) -> float | None:
    return (
        float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
        else None
    )
