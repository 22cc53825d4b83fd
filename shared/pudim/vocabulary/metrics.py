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
_HARDWARE = ("hw.id", "hw.name", "hw.type")


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
    _rate(
        "system.linux.pressure.share",
        "1",
        "Share of the time since the sample before in which some or all work waited for a resource.",
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
    # The host itself, in detail
    _rate(
        "system.cpu.logical.mode.utilization",
        "1",
        "Share of one mode in one logical core, of the first cores.",
        "cpu.logical_number",
        "cpu.mode",
    ),
    _gauge(
        "system.cpu.frequency",
        "Hz",
        "Speed of a logical core, or the mean of those that were asked.",
        "cpu.logical_number",
    ),
    _rate("system.cpu.context_switches.rate", "{switch}/s", "Changes from one thread to another."),
    _rate("system.cpu.interrupts.rate", "{interrupt}/s", "Interrupts served."),
    _rate("system.process.created.rate", "{process}/s", "Processes and threads started."),
    _gauge(
        "system.linux.thread.count",
        "{thread}",
        "Threads that run or wait for a core, or are blocked by a disk.",
        "state",
    ),
    _gauge("system.memory.shared", "By", "Memory of tmpfs and shared segments, which is part of cached."),
    _gauge("system.linux.memory.anonymous", "By", "Memory of programs that is in no file."),
    _gauge("system.linux.memory.mapped", "By", "Files mapped by programs."),
    _gauge("system.linux.memory.slab.usage", "By", "The kernel's own objects.", "linux.memory.slab.state"),
    _gauge("system.linux.memory.page_tables", "By", "Page tables."),
    _gauge("system.linux.memory.kernel_stack", "By", "Stacks of threads in the kernel."),
    _gauge("system.linux.memory.dirty", "By", "Changed file pages that are not written yet."),
    _gauge("system.linux.memory.writeback", "By", "File pages that are being written."),
    _gauge("system.linux.memory.committed", "By", "Memory promised to programs, used or not."),
    _gauge("system.linux.memory.commit_limit", "By", "What may be promised when overcommitting is off."),
    _gauge(
        "system.linux.memory.hugepages.usage",
        "By",
        "Reserved huge pages, where there are any.",
        "system.memory.state",
    ),
    _gauge(
        "system.linux.memory.zswap.usage",
        "By",
        "Swapped pages kept compressed in memory: what they take, and what they were.",
        "state",
    ),
    _rate("system.paging.faults.rate", "{fault}/s", "Page faults.", "system.paging.fault.type"),
    _rate("system.linux.memory.oom_kills.rate", "{kill}/s", "Processes killed because memory was out."),
    _gauge(
        "system.filesystem.inodes.usage",
        "{inode}",
        "Inodes used and free, where the filesystem counts them.",
        *_MOUNT,
        "system.filesystem.state",
    ),
    _gauge("system.filesystem.inodes.utilization", "1", "Share of the inodes in use.", *_MOUNT),
    _gauge(
        "system.linux.filesystem.readonly", "1", "1 when the filesystem takes no writes, else 0.", *_MOUNT
    ),
    _rate("system.linux.disk.queue.length", "{operation}", "Mean number of operations in flight.", _DISK[0]),
    _gauge("system.network.up", "1", "1 when the interface has a link, 0 when it has none.", _NETWORK[0]),
    _gauge("system.network.bandwidth.limit", "By/s", "Speed of the link, each way.", _NETWORK[0]),
    _gauge(
        "system.network.connection.count",
        "{connection}",
        "Connections by state, and sockets of UDP.",
        "network.transport",
        "network.connection.state",
    ),
    _gauge("system.linux.socket.count", "{socket}", "Sockets of every kind."),
    _gauge("system.linux.tcp.orphan.count", "{socket}", "TCP sockets that no process holds any more."),
    _gauge("system.linux.tcp.memory", "By", "Memory in TCP's buffers."),
    _gauge("system.linux.conntrack.count", "{connection}", "Connections that the firewall keeps track of."),
    _gauge(
        "system.linux.conntrack.limit", "{connection}", "How many it can; beyond that packets are dropped."
    ),
    _rate("system.network.tcp.segment.rate", "{segment}/s", "TCP segments.", "network.io.direction"),
    _rate("system.network.tcp.retransmit.rate", "{segment}/s", "TCP segments sent again."),
    _rate(
        "system.network.tcp.open.rate",
        "{connection}/s",
        "TCP connections opened by or to this host.",
        "state",
    ),
    _rate("system.network.tcp.failure.rate", "{connection}/s", "TCP connections that failed.", "error.type"),
    _rate("system.network.udp.datagram.rate", "{datagram}/s", "UDP datagrams.", "network.io.direction"),
    _rate("system.network.udp.errors.rate", "{datagram}/s", "UDP datagrams lost in this host.", "error.type"),
    _gauge(
        "system.linux.file_descriptor.count", "{file_descriptor}", "Open file descriptors of all processes."
    ),
    _gauge("system.linux.file_descriptor.limit", "{file_descriptor}", "How many there may be."),
    _gauge("system.boot.time", "s", "When the host booted, in Unix time."),
    _gauge("system.user.count", "{user}", "Users that are logged in."),
    _gauge("system.user.session.count", "{session}", "Their sessions."),
    _gauge("system.linux.clock.offset", "s", "How far the clock is off, as far as the kernel is told."),
    _gauge("system.linux.clock.max_error", "s", "Bound of the clock's error."),
    _gauge("system.linux.clock.synchronized", "1", "1 when the clock follows a time server, else 0."),
    _gauge(
        "system.linux.raid.device.count",
        "{device}",
        "Devices of a software array: how many it wants, has working, failed and spare.",
        "system.device",
        "state",
    ),
    _gauge(
        "system.linux.raid.sync.progress",
        "1",
        "Share of a running resync, recovery or check.",
        "system.device",
    ),
    _gauge("hw.temperature", "Cel", "Temperature of a sensor, a disk or a GPU.", *_HARDWARE),
    _gauge("hw.temperature.limit", "Cel", "What the sensor calls critical.", *_HARDWARE),
    _gauge("hw.fan.speed", "rpm", "Speed of a fan.", *_HARDWARE),
    _gauge("hw.fan.speed_ratio", "1", "Speed of a fan, of its highest.", *_HARDWARE),
    _gauge("hw.power", "W", "Power taken, or given by a battery.", *_HARDWARE),
    _gauge("hw.battery.charge", "1", "Charge of a battery.", *_HARDWARE),
    _gauge("hw.status", "1", "1 when the state holds, else 0.", *_HARDWARE, "hw.state"),
    _gauge(
        "hw.physical_disk.endurance_utilization",
        "1",
        "Share of a disk's endurance that is used up.",
        *_HARDWARE,
    ),
    _gauge(
        "hw.physical_disk.smart",
        "1",
        "A figure of the disk's own diagnosis.",
        *_HARDWARE,
        "hw.smart_attribute",
    ),
    _gauge("hw.gpu.utilization", "1", "Share of time with work on the GPU.", *_HARDWARE),
    _gauge("hw.gpu.memory.usage", "By", "Memory of a GPU in use.", *_HARDWARE),
    _gauge("hw.gpu.memory.limit", "By", "Memory of a GPU.", *_HARDWARE),
    _gauge("hw.gpu.memory.utilization", "1", "Share of a GPU's memory in use.", *_HARDWARE),
    # End of the host itself
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
    _gauge(
        "pudim.agent.batches.thinned",
        "{batch}",
        "Batches that gave way to the means of their minutes since the agent started.",
    ),
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
    # What containers use; each series also carries the labels of its source, container.name and the like
    _rate("container.cpu.usage", "{cpu}", "Cores in use."),
    _gauge("container.cpu.limit", "{cpu}", "Cores it may use."),
    _rate("container.cpu.utilization", "1", "Share of its limit in use."),
    _rate("container.cpu.throttled.share", "1", "Share of scheduling periods in which its limit stopped it."),
    _gauge("container.memory.usage", "By", "Memory it is charged for, file pages included."),
    _gauge(
        "container.memory.working_set", "By", "Memory without the file pages that can be dropped at once."
    ),
    _gauge("container.memory.rss", "By", "Memory that no file stands behind."),
    _gauge("container.memory.limit", "By", "Memory it may use."),
    _gauge("container.memory.utilization", "1", "Share of its limit in the working set."),
    _rate("container.memory.oom_kill.rate", "{process}/s", "Processes killed as its memory was used up."),
    _rate("container.disk.io.rate", "By/s", "Bytes moved.", _DISK[1]),
    _rate("container.disk.operations.rate", "{operation}/s", "Operations begun.", _DISK[1]),
    _rate("container.network.io.rate", "By/s", "Bytes moved; of a network of its own only.", _NETWORK[1]),
    _gauge("container.thread.count", "{thread}", "Threads of all its processes."),
    _gauge(
        "container.pressure.share",
        "1",
        "Share of the last 10 seconds in which some or all of its work waited for a resource.",
        "resource",
        "kind",
    ),
    _gauge("container.uptime", "s", "Time since it was started."),
    _gauge("pudim.container.health", "1", "Its own check: 1 healthy, 0 not; starting is no value."),
    _gauge("pudim.container.restart.count", "{restart}", "Restarts by the runtime's restart policy."),
    _gauge("pudim.container.count", "{container}", "Containers by state.", "container.state"),
    _gauge("pudim.container.left_out.count", "{container}", "Running containers over the limit of series."),
    # What systemd runs
    _gauge(
        "systemd.unit.count",
        "{unit}",
        "Loaded units by state.",
        "systemd.unit.type",
        "systemd.unit.active_state",
    ),
    _gauge("systemd.unit.active", "1", "Whether a unit that failed, or is listed, is active: 1 or 0."),
    _gauge("systemd.unit.restart.count", "{restart}", "Restarts of such a service by systemd."),
    _gauge("systemd.degraded", "1", "Whether any unit failed: 1 or 0."),
    # What other programs bring through the agent
    _gauge("pudim.custom.series", "{series}", "Series that other programs bring this way.", "pudim.custom"),
    _gauge(
        "pudim.custom.dropped",
        "{series}",
        "Series turned away in the last hour because there were too many, about.",
        "pudim.custom",
    ),
    _gauge("pudim.textfile.age", "s", "Time since the file was last written."),
    _gauge("pudim.scrape.up", "1", "Whether the exporter's last answer could be read: 1 or 0."),
    _gauge("pudim.scrape.duration", "s", "Time the exporter took to answer."),
    _gauge("pudim.scrape.samples", "{sample}", "Samples in the exporter's last answer that were wanted."),
    _rate("pudim.statsd.line.rate", "{line}/s", "Lines taken by StatsD."),
    _gauge("pudim.statsd.lines.bad", "{line}", "Lines that could not be read since the agent started."),
    _gauge(
        "pudim.statsd.packets.dropped",
        "{packet}",
        "Packets that the kernel dropped as more came than are read, since the agent started.",
    ),
)


def _by_name() -> Mapping[str, Metric]:
    table: dict[str, Metric] = {}
    for metric in _TABLE:
        assert metric.name not in table, metric.name  # noqa: S101  a slip in the table above, found at import
        table[metric.name] = metric
    return MappingProxyType(table)


METRICS: Mapping[str, Metric] = _by_name()
