"""Each sampler's arithmetic, on hosts of files whose figures are known."""

from __future__ import annotations

import os
import threading
from math import isnan
from pathlib import Path

import psutil
import pytest

from pudim_agent.samplers import Host
from tests.agent.hosts import FAKE_SPACE, host, look, make


def rewrite(on: Host, path: str, old: str, new: str) -> None:
    file = Path(on.proc) / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_cpu(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    cpu = make("cpu", on)
    first = look(cpu, 0)
    assert isnan(first["system.cpu.utilization{}"])
    assert first["system.cpu.logical.count{}"] == 4
    rewrite(on, "stat", "cpu  1000 20 300 8000 100", "cpu  1050 20 320 8025 105")
    rewrite(on, "stat", "cpu0 250 5 75 2000", "cpu0 275 5 75 2075")
    found = look(cpu, 10)
    assert found["system.cpu.utilization{}"] == pytest.approx(0.7)
    assert found["system.cpu.utilization{user}"] == pytest.approx(0.5)
    assert found["system.cpu.utilization{system}"] == pytest.approx(0.2)
    assert found["system.cpu.utilization{iowait}"] == pytest.approx(0.05)
    assert found["system.cpu.logical.utilization{0}"] == pytest.approx(0.25)
    assert isnan(found["system.cpu.logical.utilization{1}"])


def test_a_core_goes_offline(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    cpu = make("cpu", on)
    look(cpu, 0)
    rewrite(on, "stat", "cpu3 250 5 75 2000 25 2 7 10 125 0\n", "")
    found = look(cpu, 10)
    assert found["system.cpu.logical.count{}"] == 3
    assert "system.cpu.logical.utilization{3}" not in found


def test_memory() -> None:
    found = look(make("memory", host("big")), 0)
    assert found["system.memory.usage{used}"] == 4_000_000 * 1024
    assert found["system.memory.usage{cached}"] == 10_500_000 * 1024
    assert found["system.memory.utilization{}"] == pytest.approx(0.25)
    assert found["system.paging.utilization{}"] == pytest.approx(0.25)
    assert found["system.memory.limit{}"] == sum(
        found[f"system.memory.usage{{{state}}}"] for state in ("used", "free", "cached", "buffers")
    )


def test_swapping(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    memory = make("memory", on)
    look(memory, 0)
    rewrite(on, "vmstat", "pswpin 100", "pswpin 150")
    found = look(memory, 10)
    assert found["system.paging.operations.rate{in}"] == 5.0
    assert found["system.paging.operations.rate{out}"] == 0.0


def test_no_swap_no_series() -> None:
    assert not [
        name
        for name in look(make("memory", host("small")), 0)
        if "paging.usage" in name or "operations" in name
    ]


def test_pressure(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    pressure = make("pressure", on)
    assert all(map(isnan, look(pressure, 0).values()))
    rewrite(on, "pressure/cpu", "total=1\n", "total=1250001\n")
    found = look(pressure, 10)
    assert found["system.linux.pressure.share{some,cpu}"] == pytest.approx(0.125)
    assert found["system.linux.pressure.share{full,io}"] == 0
    assert look(make("pressure", host("small")), 0) == {}


def test_pressure_on_interrupts_where_the_kernel_has_it() -> None:
    assert "system.linux.pressure.share{full,irq}" in look(make("pressure", host("metal")), 0)


def test_load_and_uptime() -> None:
    assert look(make("load", host("big")), 0)["system.cpu.load_average.5m{}"] == 0.25
    assert look(make("uptime", host("big")), 0)["system.uptime{}"] == 86400.5


def test_disks(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    disk = make("disk", on)
    first = look(disk, 5)
    assert all(map(isnan, first.values()))
    assert {name[name.rindex(",") + 1 : -1] for name in first if "," in name} == {"nvme0n1", "sda", "dm-0"}
    rewrite(
        on,
        "diskstats",
        "nvme0n1 1000 10 80000 500 2000 20 160000 4000 0 3000",
        "nvme0n1 1100 10 82000 550 2000 20 160000 4000 0 8000",
    )
    found = look(disk, 15)
    assert found["system.disk.io.rate{read,nvme0n1}"] == 2000 * 512 / 10
    assert found["system.disk.operations.rate{read,nvme0n1}"] == 10
    assert found["system.disk.await{read,nvme0n1}"] == pytest.approx(0.0005)
    assert found["system.disk.operations.rate{write,nvme0n1}"] == 0
    assert isnan(found["system.disk.await{write,nvme0n1}"])
    assert found["system.disk.utilization{nvme0n1}"] == pytest.approx(0.5)


def test_a_disk_that_was_replaced_has_no_rate_for_once(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    disk = make("disk", on)
    look(disk, 0)
    rewrite(on, "diskstats", "nvme0n1 1000 10 80000", "nvme0n1 2 0 90000")
    assert all(isnan(value) for name, value in look(disk, 10).items() if "nvme0n1" in name)
    assert look(disk, 20)["system.disk.operations.rate{read,nvme0n1}"] == 0


def test_filesystems() -> None:
    found = look(make("filesystem", host("big")), 0)
    points = {name.split(",")[1] for name in found if name.startswith("system.filesystem.limit")}
    assert points == {"/", "/boot/efi", "/mnt/my disk", "/pool"}
    assert found["system.filesystem.inodes.usage{/dev/sda1,/mnt/my disk,used,xfs}"] == 300
    assert found["system.filesystem.inodes.usage{/dev/sda1,/mnt/my disk,free,xfs}"] == 100
    assert found["system.filesystem.inodes.utilization{/dev/sda1,/mnt/my disk,xfs}"] == pytest.approx(0.75)
    assert found["system.filesystem.usage{/dev/sda1,/mnt/my disk,used,xfs}"] == 600 * 4096
    assert found["system.filesystem.usage{/dev/sda1,/mnt/my disk,free,xfs}"] == 300 * 4096
    assert found["system.filesystem.utilization{/dev/sda1,/mnt/my disk,xfs}"] == pytest.approx(600 / 900)
    assert found["system.filesystem.limit{/dev/sda1,/mnt/my disk,xfs}"] == 1000 * 4096


def test_a_container_has_its_root() -> None:
    found = look(make("filesystem", host("small")), 0)
    assert {name.split("{")[1] for name in found if "limit" in name} == {"overlay,/,overlay}"}


def test_network_filesystems_when_asked_for() -> None:
    found = look(make("filesystem", host("big"), network=True, skip=("/pool", "/home")), 0)
    points = {name.split(",")[1] for name in found if name.startswith("system.filesystem.limit")}
    assert points == {"/", "/boot/efi", "/mnt/my disk", "/mnt/nfs", "/mnt/fuse"}


def test_a_hanging_network_filesystem_costs_its_values_and_one_thread() -> None:
    release = threading.Event()
    asked = []

    def statvfs(path: str) -> os.statvfs_result:
        if path == "/mnt/nfs":
            asked.append(path)
            release.wait(10)
        return FAKE_SPACE

    sampler = make("filesystem", host("big", statvfs=statvfs), network=True)
    for tick in (0, 10):
        found = look(sampler, tick)
        assert isnan(found["system.filesystem.limit{server:/export,/mnt/nfs,nfs4}"])
        assert found["system.filesystem.limit{user@host:,/mnt/fuse,fuse.sshfs}"] == 1000 * 4096
    assert asked == ["/mnt/nfs"]
    release.set()
    assert look(sampler, 20)["system.filesystem.limit{server:/export,/mnt/nfs,nfs4}"] == 1000 * 4096


def test_a_filesystem_that_does_not_answer_is_unknown() -> None:
    def statvfs(_path: str) -> os.statvfs_result:
        raise PermissionError

    found = look(make("filesystem", host("big", statvfs=statvfs)), 0)
    assert all(isnan(value) != ("readonly" in name) for name, value in found.items())


def test_network(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    network = make("network", on)
    assert {name.split("{")[1].split(",")[0] for name in look(network, 0)} == {"eth0", "wg0"}
    rewrite(on, "net/dev", "eth0: 1000 10 1 2", "eth0: 6000 60 2 4")
    found = look(network, 10)
    assert found["system.network.io.rate{eth0,receive}"] == 500
    assert found["system.network.packet.rate{eth0,receive}"] == 5
    assert found["system.network.errors.rate{eth0,receive}"] == pytest.approx(0.1)
    assert found["system.network.dropped.rate{eth0,receive}"] == pytest.approx(0.2)
    assert found["system.network.io.rate{eth0,transmit}"] == 0


def test_an_interface_appears(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    network = make("network", on)
    look(network, 0)
    rewrite(on, "net/dev", "wg0:8", "tun0: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\nwg0:8")
    found = look(network, 10)
    assert isnan(found["system.network.io.rate{tun0,receive}"])
    assert found["system.network.io.rate{wg0,receive}"] == 0


def test_itself(tmp_path: Path) -> None:
    on = host("big")
    on.vitals.lost_batches = 7
    itself = make("self", on)
    look(itself, 0)
    found = look(itself, 10)
    assert found["pudim.agent.memory.usage{}"] == 2500 * os.sysconf("SC_PAGESIZE")
    assert found["pudim.agent.batches.lost{}"] == 7
    assert 0 <= found["pudim.agent.cpu.utilization{}"] < 1


def test_it_agrees_with_psutil() -> None:
    """An independent reader of the same host."""
    memory = look(make("memory", Host()), 0)
    assert memory["system.memory.limit{}"] == psutil.virtual_memory().total
    assert memory["system.linux.memory.available{}"] == pytest.approx(
        psutil.virtual_memory().available, rel=0.1
    )
    assert look(make("load", Host()), 0)["system.cpu.load_average.15m{}"] == pytest.approx(
        psutil.getloadavg()[2], abs=0.1
    )
    root = psutil.disk_usage("/")
    limits = {
        name: value
        for name, value in look(make("filesystem", Host()), 0).items()
        if ",/," in name and "limit" in name
    }
    assert list(limits.values()) == [root.total]
    assert look(make("cpu", Host()), 0)["system.cpu.logical.count{}"] == psutil.cpu_count()
