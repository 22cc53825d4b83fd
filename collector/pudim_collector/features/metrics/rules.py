"""How times, ranges and the place in a live stream are said in a URL, and which charts a server has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pudim.vocabulary.errors import PudimError

LONGEST_RANGE = timedelta(days=366)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RELATIVE = re.compile(r"-([0-9]{1,6})([smhdw])")
_EVENT_ID = re.compile(r"([0-9]{1,15})-([0-9]{1,10})")
_EPOCH = datetime.fromtimestamp(0, UTC)


class BadTime(PudimError):
    """A time is an ISO 8601 date and time, Unix seconds, `now`, or relative like `-15m`, `-1h`, `-7d`."""

    code = "bad_time"
    status = 422


class BadRange(PudimError):
    """A range begins before it ends, and is at most a year long."""

    code = "bad_range"
    status = 422


@dataclass(frozen=True)
class Range:
    """From `start` until before `end`."""

    start: datetime
    end: datetime


def parse_time(text: str, now: datetime) -> datetime:
    """Raises BadTime. A time without a zone is UTC."""
    if text in {"", "now"}:
        return now
    try:
        if relative := _RELATIVE.fullmatch(text):
            return now - timedelta(**{_UNITS[relative[2]]: int(relative[1])})
        if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
            return _EPOCH + timedelta(seconds=float(text))
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except (ValueError, OverflowError) as error:
        raise BadTime from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def parse_range(start: str, end: str, now: datetime) -> Range:
    """Raises BadTime or BadRange."""
    found = Range(parse_time(start, now), parse_time(end, now))
    if not timedelta() < found.end - found.start <= LONGEST_RANGE:
        raise BadRange
    return found


class Place(NamedTuple):
    """Where a frame stands among a server's frames: they come in order of time, and of source within one time."""

    time: datetime
    source_id: int

    @property
    def event_id(self) -> str:
        return f"{(self.time - _EPOCH) // timedelta(milliseconds=1)}-{self.source_id}"


def parse_place(event_id: str | None) -> Place | None:
    """The place that an event id names; None if it names none."""
    found = _EVENT_ID.fullmatch(event_id or "")
    if found is None:
        return None
    try:
        return Place(_EPOCH + timedelta(milliseconds=int(found[1])), int(found[2]))
    except OverflowError:
        return None


@dataclass(frozen=True)
class View:
    """What a chart may show: attributes of <pudim-chart>, of which `metric` may be several with commas between them."""

    name: str
    settings: Mapping[str, str]

    def of(self, metrics: frozenset[str]) -> View | None:
        """As much of it as there is."""
        wanted = self.settings["metric"].split(",")
        found = [number for number, one in enumerate(wanted) if one in metrics]
        if not found:
            return None
        names = self.settings.get("names", "").split(",")
        kept = {"metric": ",".join(wanted[number] for number in found)}
        if len(names) == len(wanted) > 1:
            kept["names"] = ",".join(names[number] for number in found)
        return View(self.name, {**self.settings, **kept})


@dataclass(frozen=True)
class Chart:
    heading: str
    views: tuple[View, ...]


@dataclass(frozen=True)
class Group:
    """Charts under one heading, by which a page's links name it too."""

    name: str
    charts: tuple[Chart, ...]


def _view(name: str, metric: str, **settings: str) -> View:
    return View(name, {"metric": metric, **{key.replace("_", "-"): value for key, value in settings.items()}})


_LINK = {
    "by": "network.interface.name,network.io.direction",
    "top": "8",
    "label_filter": "network.interface.name!=lo",
}
_INTERFACE = _LINK | {"by": "network.interface.name"}
_DISK = {"by": "system.device,disk.io.direction", "top": "8"}
_MOUNT = {"by": "system.filesystem.mountpoint"}
_PART = {"by": "hw.name,hw.id", "top": "12"}
_CONTAINER = {"by": "container.name", "top": "8"}
_CORE = {"by": "cpu.logical_number", "prefix": "core "}
KNOWN = (
    Group(
        "Overview",
        (
            Chart(
                "CPU",
                (
                    _view(
                        "Modes",
                        "system.cpu.utilization",
                        label_filter="cpu.mode,cpu.mode!=idle",
                        kind="stacked",
                        y_max="1",
                        order="user,system,iowait,steal,nice,interrupt,softirq",
                    ),
                    _view(
                        "Busy", "system.cpu.utilization", label_filter="!cpu.mode", y_max="1", names="busy"
                    ),
                    _view("Cores", "system.cpu.logical.utilization", y_max="1", **_CORE),
                    _view("Speed", "system.cpu.frequency", **_CORE),
                ),
            ),
            Chart(
                "Memory",
                (
                    _view(
                        "Memory",
                        "system.memory.usage",
                        kind="stacked",
                        order="used,cached,buffers,free",
                        muted="free",
                    ),
                    _view("In use", "system.memory.utilization", y_max="1", names="in use"),
                    _view(
                        "Promised",
                        "system.linux.memory.available,system.linux.memory.committed",
                        names="available,committed",
                    ),
                    _view(
                        "Programs",
                        "system.linux.memory.anonymous,system.linux.memory.mapped,system.memory.shared",
                        names="anonymous,mapped,shared",
                    ),
                    _view(
                        "Kernel",
                        "system.linux.memory.slab.usage,system.linux.memory.page_tables,system.linux.memory.kernel_stack",
                        names="slab,page tables,stacks",
                    ),
                    _view(
                        "Unwritten",
                        "system.linux.memory.dirty,system.linux.memory.writeback",
                        names="dirty,being written",
                    ),
                ),
            ),
            Chart(
                "Network",
                (
                    _view("Traffic", "system.network.io.rate", **_LINK),
                    _view("Packets", "system.network.packet.rate", **_LINK),
                    _view(
                        "Errors",
                        "system.network.errors.rate,system.network.dropped.rate",
                        names="error,dropped",
                        **_LINK,
                    ),
                    _view("Link", "system.network.up", **_INTERFACE),
                ),
            ),
            Chart(
                "Disk traffic",
                (
                    _view("Traffic", "system.disk.io.rate", **_DISK),
                    _view("Operations", "system.disk.operations.rate", **_DISK),
                    _view("Wait", "system.disk.await", **_DISK),
                    _view("Queue", "system.linux.disk.queue.length", by="system.device", top="8"),
                    _view("Busy", "system.disk.utilization", by="system.device", top="8", y_max="1"),
                ),
            ),
            Chart(
                "Filesystems",
                (
                    _view("In use", "system.filesystem.utilization", y_max="1", **_MOUNT),
                    _view(
                        "Bytes",
                        "system.filesystem.usage",
                        label_filter="system.filesystem.state=used",
                        **_MOUNT,
                    ),
                    _view("Inodes", "system.filesystem.inodes.utilization", y_max="1", **_MOUNT),
                    _view("Read-only", "system.linux.filesystem.readonly", **_MOUNT),
                ),
            ),
            Chart(
                "Processes",
                (
                    _view(
                        "CPU",
                        "process.cpu.utilization",
                        by="process.executable.name",
                        kind="stacked",
                        top="8",
                    ),
                    _view("Memory", "process.memory.usage", by="process.executable.name", top="8"),
                    _view("States", "system.process.count", by="process.status"),
                ),
            ),
        ),
    ),
    Group(
        "Containers together",
        (
            Chart(
                "Containers that use most",
                (
                    _view("CPU", "container.cpu.usage", kind="stacked", **_CONTAINER),
                    _view("Memory", "container.memory.working_set", **_CONTAINER),
                    _view("Throttled", "container.cpu.throttled.share", **_CONTAINER),
                    _view("Number", "pudim.container.count", by="container.state"),
                ),
            ),
        ),
    ),
    Group(
        "System",
        (
            Chart(
                "Load average",
                (
                    _view(
                        "Load",
                        "system.cpu.load_average.1m,system.cpu.load_average.5m,system.cpu.load_average.15m",
                        unit="{thread}",
                        names="1 min,5 min,15 min",
                    ),
                ),
            ),
            Chart(
                "Pressure: share of time spent waiting",
                (
                    _view(
                        "Some work",
                        "system.linux.pressure.share",
                        label_filter="kind=some",
                        order="cpu,memory,io",
                    ),
                    _view(
                        "All work",
                        "system.linux.pressure.share",
                        label_filter="kind=full",
                        order="cpu,memory,io",
                    ),
                ),
            ),
            Chart(
                "Swap",
                (
                    _view("Swap", "system.paging.usage", kind="stacked", order="used,free", muted="free"),
                    _view("In use", "system.paging.utilization", y_max="1"),
                    _view("Swapping", "system.paging.operations.rate"),
                    _view("Faults", "system.paging.faults.rate"),
                    _view("Killed", "system.linux.memory.oom_kills.rate"),
                    _view("zswap", "system.linux.memory.zswap.usage"),
                ),
            ),
            Chart(
                "Threads",
                (
                    _view("Switches", "system.cpu.context_switches.rate"),
                    _view("Interrupts", "system.cpu.interrupts.rate"),
                    _view("Started", "system.process.created.rate"),
                    _view("Waiting", "system.linux.thread.count"),
                ),
            ),
            Chart("Open files", (_view("Open", "system.linux.file_descriptor.count"),)),
            Chart(
                "Clock",
                (
                    _view("Off by", "system.linux.clock.offset"),
                    _view("Error", "system.linux.clock.max_error"),
                    _view("Follows a server", "system.linux.clock.synchronized", y_max="1"),
                ),
            ),
            Chart(
                "The agent itself",
                (
                    _view("CPU", "pudim.agent.cpu.utilization"),
                    _view("Memory", "pudim.agent.memory.usage"),
                    _view("Spool", "pudim.agent.spool.usage"),
                    _view("Lost", "pudim.agent.batches.lost"),
                ),
            ),
            Chart(
                "Users",
                (_view("Users", "system.user.count,system.user.session.count", names="users,sessions"),),
            ),
        ),
    ),
    Group(
        "Connections",
        (
            Chart(
                "Connections",
                (
                    _view(
                        "States",
                        "system.network.connection.count",
                        by="network.transport,network.connection.state",
                        top="12",
                    ),
                    _view("Opened", "system.network.tcp.open.rate"),
                    _view(
                        "Sockets",
                        "system.linux.socket.count,system.linux.tcp.orphan.count",
                        names="sockets,orphans",
                    ),
                    _view("Tracked", "system.linux.conntrack.count"),
                ),
            ),
            Chart(
                "TCP and UDP",
                (
                    _view("Sent again", "system.network.tcp.retransmit.rate"),
                    _view("Segments", "system.network.tcp.segment.rate"),
                    _view("Failures", "system.network.tcp.failure.rate"),
                    _view("UDP", "system.network.udp.datagram.rate"),
                    _view("UDP lost", "system.network.udp.errors.rate"),
                    _view("Buffers", "system.linux.tcp.memory"),
                ),
            ),
        ),
    ),
    Group(
        "Hardware",
        (
            Chart("Temperatures", (_view("Now", "hw.temperature", **_PART),)),
            Chart(
                "Fans",
                (
                    _view("Speed", "hw.fan.speed", **_PART),
                    _view("Share", "hw.fan.speed_ratio", y_max="1", **_PART),
                ),
            ),
            Chart(
                "GPU",
                (
                    _view("Busy", "hw.gpu.utilization", y_max="1", **_PART),
                    _view("Memory", "hw.gpu.memory.utilization", y_max="1", **_PART),
                ),
            ),
            Chart(
                "Power",
                (
                    _view("Power", "hw.power", **_PART),
                    _view("Battery", "hw.battery.charge", y_max="1", **_PART),
                ),
            ),
            Chart(
                "Arrays",
                (
                    _view("Devices", "system.linux.raid.device.count", by="system.device,state"),
                    _view("Resync", "system.linux.raid.sync.progress", by="system.device", y_max="1"),
                ),
            ),
        ),
    ),
)
_ELSEWHERE = (
    "container.",
    "process.",
    "pudim.agent.",
    "pudim.check.",
    "pudim.container.",
    "system.boot.",
    "system.cpu.logical.",
    "system.filesystem.inodes.usage",
    "system.uptime",
)
"""Shown in other parts of the page, or no curve."""
_CONSTANT = (".limit", "_limit", ".count.limit")
_MOST_OTHER, _MOST_VIEWS = 40, 6


def charts_of(metrics: frozenset[str]) -> list[Group]:
    """The known charts of which there is something, then one for each family of metrics that none of those shows."""
    groups = [Group(group.name, found) for group in KNOWN if (found := tuple(_with(metrics, group.charts)))]
    shown = {
        one for group in KNOWN for chart in group.charts for view in chart.views for one in _metrics(view)
    }
    others = sorted(
        one for one in metrics - shown if not one.startswith(_ELSEWHERE) and not one.endswith(_CONSTANT)
    )
    families: dict[str, list[str]] = {}
    for metric in others:
        families.setdefault(_family(metric), []).append(metric)
    charts = [chart for family, found in families.items() for chart in _others(family, found)][:_MOST_OTHER]
    return [*groups, Group("Other", tuple(charts))] if charts else groups


def _with(metrics: frozenset[str], charts: Iterable[Chart]) -> Iterable[Chart]:
    for chart in charts:
        views = tuple(view for one in chart.views if (view := one.of(metrics)) is not None)
        if views:
            yield Chart(chart.heading, views)


def _metrics(view: View) -> list[str]:
    return view.settings["metric"].split(",")


def _family(metric: str) -> str:
    """`system.linux.zram` of `system.linux.zram.usage`, `nginx` of `nginx.requests` and of `nginx_requests_total`."""
    words = re.split(r"[._]", metric)
    deep = {"system": 2, "hw": 2}.get(words[0], 1)
    deep += words[0] == "system" and words[1:2] == ["linux"]
    return ".".join(words[: min(deep, max(1, len(words) - 1))])


def _others(family: str, metrics: list[str]) -> Iterator[Chart]:
    for start in range(0, len(metrics), _MOST_VIEWS):
        some = metrics[start : start + _MOST_VIEWS]
        views = [_view(one[len(family) :].strip("._") or one, one, top="12") for one in some]
        yield Chart(family if not start else f"{family}, {start // _MOST_VIEWS + 1}", tuple(views))
