"""What notices say, kind by kind. Fields are only ever appended; what a newer agent adds is passed over.

Times in documents are Unix milliseconds by the agent's clock; null is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct

from pudim.wire.batches import MAX_TIME

MOST_LISTED = 1_000
Text = Annotated[str, Meta(max_length=1_024)]
"""Agents cut theirs to 256 characters; what is much longer is no agent's."""
Count = Annotated[int, Meta(ge=0, le=2**53)]
"""No more than a browser's numbers hold exactly."""
Bytes = Count
Time = Annotated[int, Meta(ge=0, le=MAX_TIME)]
Share = float


class Kind(StrEnum):
    """The subjects that are kept. A newer agent may tell more, of which nobody here knows the shape."""

    FACTS = "facts"
    PROCESSES = "processes"
    CONTAINERS = "containers"
    UNITS = "units"
    DISKS = "disks"
    CHECKS = "checks"
    CUSTOM = "custom"
    POLICY = "policy"
    COLLECTOR_KEY = "collector_key"


Facts = Annotated[dict[Annotated[str, Meta(max_length=64)], Text], Meta(max_length=64)]
"""What the host is, by OpenTelemetry's resource names where there is one."""


class Process(Struct):
    """cpu is a share of one core. The command line came without the secrets that the agent could tell."""

    pid: Count
    name: Text
    command: Text | None = None
    user: Text | None = None
    cpu: Share | None = None
    memory: Bytes | None = None
    threads: Count | None = None
    started: Time | None = None


Processes = Annotated[list[Process], Meta(max_length=200)]


class TopProcesses(Struct):
    """Those that use the most of each."""

    cpu: Processes = []
    memory: Processes = []


class Container(Struct):
    """cpu is a share of one core; a limit is null where there is none."""

    id: Text
    name: Text | None = None
    image: Text | None = None
    runtime: Text | None = None
    state: Text | None = None
    health: Text | None = None
    restarts: Count | None = None
    started: Time | None = None
    cpu: Share | None = None
    memory: Bytes | None = None
    memory_limit: Bytes | None = None


class Containers(Struct):
    """`runtimes` are those that answered or were found; `problems` says why names and health may not be known."""

    containers: Annotated[list[Container], Meta(max_length=MOST_LISTED)] = []
    runtimes: Annotated[list[Text], Meta(max_length=16)] = []
    problems: Annotated[list[Text], Meta(max_length=32)] = []


class Unit(Struct):
    """A unit of systemd by its own words: load, active and sub state; `since` it is in that state."""

    name: Text
    description: Text | None = None
    load: Text | None = None
    active: Text | None = None
    sub: Text | None = None
    restarts: Count | None = None
    since: Time | None = None


class Units(Struct):
    """Failed ones first. `manager` is what systemd says of the whole system."""

    units: Annotated[list[Unit], Meta(max_length=MOST_LISTED)] = []
    manager: Text | None = None


class Disk(Struct):
    """What SMART says. `temperature` in degrees Celsius, `hours` of use, `wear` as a share of what it can bear."""

    device: Text
    model: Text | None = None
    serial_end: Text | None = None
    healthy: bool | None = None
    temperature: float | None = None
    hours: float | None = None
    wear: float | None = None
    problems: Annotated[list[Text], Meta(max_length=32)] = []


class DiskArray(Struct):
    """A RAID array. `progress` is the share of a resync or rebuild that is done."""

    device: Text
    level: Text | None = None
    state: Text | None = None
    devices: Count | None = None
    working: Count | None = None
    failed: Count | None = None
    progress: float | None = None


class Disks(Struct):
    disks: Annotated[list[Disk], Meta(max_length=MOST_LISTED)] = []
    arrays: Annotated[list[DiskArray], Meta(max_length=MOST_LISTED)] = []


class CheckResult(Struct):
    """The newest result of a check that the agent runs: up, down or unknown."""

    id: Text
    status: Text
    since: Time | None = None
    at: Time | None = None
    duration: float | None = None
    detail: Text | None = None
    code: Text | None = None


class CheckResults(Struct):
    revision: Count = 0
    checks: Annotated[list[CheckResult], Meta(max_length=MOST_LISTED)] = []


class MetricSource(Struct):
    """Where the agent collects metrics of others: a text file, StatsD or a page that it reads.

    `dropped` series were too many; `offender` is the metric that has most of them.
    """

    kind: Text
    name: Text
    series: Count | None = None
    dropped: Count | None = None
    offender: Text | None = None
    error: Text | None = None
    at: Time | None = None


class MetricSources(Struct):
    sources: Annotated[list[MetricSource], Meta(max_length=MOST_LISTED)] = []


class Policy(Struct):
    """What the host lets the collector do; with `frozen` nothing. `refused` is why its file does not count, in a word.

    `bounds` says for each action for what it is allowed, such as {"restart_unit": {"units": ["nginx.service"]}}.
    """

    actions: Annotated[list[Text], Meta(max_length=64)] = []
    frozen: bool = False
    digest: Text | None = None
    refused: Text | None = None
    reason: Annotated[str, Meta(max_length=2048)] | None = None
    bounds: Annotated[dict[Text, Annotated[dict[Text, Any], Meta(max_length=16)]], Meta(max_length=16)] = {}


class CollectorKey(Struct):
    """Which key of this collector the host believes, and which it is ready for; `refused` is why it believes none that was named."""

    key: Text
    epoch: Count = 0
    successor: Text | None = None
    refused: Text | None = None


DOCUMENTS: Mapping[str, Any] = {
    Kind.FACTS: Facts,
    Kind.PROCESSES: TopProcesses,
    Kind.CONTAINERS: Containers,
    Kind.UNITS: Units,
    Kind.DISKS: Disks,
    Kind.CHECKS: CheckResults,
    Kind.CUSTOM: MetricSources,
    Kind.POLICY: Policy,
    Kind.COLLECTOR_KEY: CollectorKey,
}
"""Kind to the type that its documents have."""


class HostFacts(Struct):
    """What a host is. `document` is null where its agent never told; `old` when nobody knows whether it still holds."""

    at: datetime | None
    received_at: datetime | None
    old: bool | None
    document: Facts | None


class HostProcesses(Struct):
    """What runs on a host and uses most of it; null where its agent never told."""

    at: datetime | None
    received_at: datetime | None
    old: bool | None
    document: TopProcesses | None


class HostContainers(Struct):
    """A host's containers; null where its agent never told, which is not the same as none."""

    at: datetime | None
    received_at: datetime | None
    old: bool | None
    document: Containers | None


class HostUnits(Struct):
    """A host's systemd units; null where its agent never told, which is not the same as none."""

    at: datetime | None
    received_at: datetime | None
    old: bool | None
    document: Units | None


class HostDisks(Struct):
    """How a host's disks and arrays are; null where its agent never told."""

    at: datetime | None
    received_at: datetime | None
    old: bool | None
    document: Disks | None


class HostMetricSources(Struct):
    """Where a host's agent collects metrics of others; null where it never told."""

    at: datetime | None
    received_at: datetime | None
    old: bool | None
    document: MetricSources | None


class HostPolicy(Struct):
    """What a host lets this collector do; null where its agent never told."""

    at: datetime | None
    received_at: datetime | None
    old: bool | None
    document: Policy | None
