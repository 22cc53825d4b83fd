"""Every metric the agent emits, said once: samplers, charts and the reference page read this table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """How a value came about, hence how to read one that covers several samples."""

    GAUGE = "gauge"  # a level at that moment
    RATE = "rate"  # a counter's mean speed since the sample before


@dataclass(frozen=True)
class Metric:
    """A measured quantity. `labels` are the OpenTelemetry attribute keys that its series may carry.

    Units are UCUM: "1" is a fraction from 0 to 1, "By" bytes, "s" seconds, "{core}" a count of cores.
    """

    name: str
    unit: str
    description: str
    kind: Kind = Kind.GAUGE
    labels: tuple[str, ...] = ()


def _rate(name: str, unit: str, description: str, *labels: str) -> Metric:
    return Metric(name, unit, description, Kind.RATE, labels)


def _gauge(name: str, unit: str, description: str, *labels: str) -> Metric:
    return Metric(name, unit, description, Kind.GAUGE, labels)


_MOUNT = ("system.filesystem.mountpoint", "system.device", "system.filesystem.type")
_DISK = ("system.device", "disk.io.direction")
_NETWORK = ("network.interface.name", "network.io.direction")


_TABLE = (
    _rate("system.cpu.utilization", "1", "Busy share of all cores, or the share of one mode.", "cpu.mode"),
    _rate("system.cpu.logical.utilization", "1", "Busy share of one logical core.", "cpu.logical_number"),
    _gauge("system.cpu.logical.count", "{cpu}", "Logical cores that are online."),
    _gauge("system.cpu.load_average.1m", "{thread}", "Threads running or waiting, over 1 minute."),
    _gauge("system.cpu.load_average.5m", "{thread}", "Threads running or waiting, over 5 minutes."),
    _gauge("system.cpu.load_average.15m", "{thread}", "Threads running or waiting, over 15 minutes."),
    _gauge("system.memory.usage", "By", "Memory by what it is used for.", "system.memory.state"),
    _gauge("system.memory.utilization", "1", "Share of memory that is not available to new work."),
    _gauge("system.memory.limit", "By", "Memory of the host."),
    _gauge("system.linux.memory.available", "By", "Memory the kernel can give to new work without swapping."),
    _gauge("system.paging.usage", "By", "Swap space used and free.", "system.paging.state"),
    _gauge("system.paging.utilization", "1", "Share of swap space in use."),
    _rate(
        "system.paging.operations.rate",
        "{operation}/s",
        "Pages swapped in and out.",
        "system.paging.direction",
    ),
    _gauge(
        "system.linux.pressure.share",
        "1",
        "Share of the last 10 seconds in which some or all work waited for a resource.",
        "resource",
        "kind",
    ),
    _gauge(
        "system.filesystem.usage",
        "By",
        "Space used and free for unprivileged users.",
        *_MOUNT,
        "system.filesystem.state",
    ),
    _gauge("system.filesystem.utilization", "1", "Share of the usable space in use.", *_MOUNT),
    _gauge("system.filesystem.limit", "By", "Size of the filesystem.", *_MOUNT),
    _rate("system.disk.io.rate", "By/s", "Bytes moved.", *_DISK),
    _rate("system.disk.operations.rate", "{operation}/s", "Operations finished.", *_DISK),
    _rate("system.disk.await", "s", "Mean time of an operation, waiting included.", *_DISK),
    _rate("system.disk.utilization", "1", "Share of time with at least one operation in flight.", _DISK[0]),
    _rate("system.network.io.rate", "By/s", "Bytes moved.", *_NETWORK),
    _rate("system.network.packet.rate", "{packet}/s", "Packets moved.", *_NETWORK),
    _rate("system.network.errors.rate", "{error}/s", "Faulty packets.", *_NETWORK),
    _rate("system.network.dropped.rate", "{packet}/s", "Packets dropped.", *_NETWORK),
    _gauge("system.uptime", "s", "Time since the host booted."),
    _gauge(
        "system.process.count", "{process}", "Processes by state, counted once a minute.", "process.status"
    ),
    _rate("process.cpu.utilization", "1", "Share of all cores used by the processes of one name."),
    _gauge("process.memory.usage", "By", "Resident memory; pages shared between processes count twice."),
    _gauge("process.count", "{process}", "Processes of this name."),
    _gauge("process.thread.count", "{thread}", "Threads of the processes of this name."),
    _rate("pudim.agent.cpu.utilization", "1", "Share of one core used by the agent itself."),
    _gauge("pudim.agent.memory.usage", "By", "Resident memory of the agent."),
    _gauge("pudim.agent.sample.duration", "s", "Time the sample before took."),
    _gauge("pudim.agent.spool.usage", "By", "Batches waiting for the collector's acknowledgement."),
    _gauge("pudim.agent.spool.count", "{batch}", "Batches waiting for the collector's acknowledgement."),
    _gauge("pudim.agent.batches.lost", "{batch}", "Batches given up since the agent started."),
    _gauge("pudim.agent.samplers.errors", "{error}", "Failed readings since the agent started."),
    _gauge("pudim.agent.ticks.missed", "{tick}", "Samples not taken in time since the agent started."),
    _gauge("pudim.agent.clock.jumps", "{jump}", "Steps of the wall clock since the agent started."),
    # What checks find; each series also carries the labels of its source, pudim.check.id and pudim.check.kind
    _gauge("pudim.check.up", "1", "Whether what is checked works: 1 or 0; unknown is no value."),
    _gauge("pudim.check.duration", "s", "Time the check took; of a ping the mean round trip."),
    _gauge("pudim.check.phase.duration", "s", "Time of one part of a check.", "pudim.check.phase"),
    _gauge("pudim.check.http.status_code", "{code}", "Status that a web server answered."),
    _gauge(
        "pudim.check.certificate.remaining", "s", "Time a certificate still holds; negative once it ended."
    ),
    _gauge("pudim.check.packet_loss", "1", "Share of echo requests without a reply."),
    _gauge(
        "pudim.check.round_trip.duration",
        "s",
        "Time from an echo request to its reply.",
        "pudim.check.statistic",
    ),
    _gauge("pudim.check.answer.count", "{record}", "Records that a name server answered."),
    _gauge("pudim.check.process.count", "{process}", "Processes that were found."),
    _gauge("pudim.check.file.count", "{file}", "Files that were found."),
    _gauge("pudim.check.file.age", "s", "Age of the newest and of the oldest file.", "pudim.check.file"),
    _gauge("pudim.check.file.size", "By", "Size of the newest file."),
)


def _by_name() -> Mapping[str, Metric]:
    table: dict[str, Metric] = {}
    for metric in _TABLE:
        assert metric.name not in table, metric.name  # noqa: S101  a slip in the table above, found at import
        table[metric.name] = metric
    return MappingProxyType(table)


METRICS: Mapping[str, Metric] = _by_name()
