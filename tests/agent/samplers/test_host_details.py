"""What the files of a real machine say in detail: cores, memory, disks, filesystems, links, sockets, sessions, clock."""

from __future__ import annotations

import os
import socket
import struct
import sys
from math import isnan
from pathlib import Path

import psutil
import pytest

from pudim_agent import inet_diag
from pudim_agent.samplers import Host, clock, frequency, users
from tests.agent.hosts import FAKE_SPACE, host, look, make
from tests.agent.test_samplers import rewrite

KIB = 1024


def test_modes_of_each_core(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    cpu = make("cpu", on)
    look(cpu, 0)
    rewrite(on, "stat", "cpu0 2000 0 200 18000 100 0 20", "cpu0 2500 0 300 18300 150 0 70")
    found = look(cpu, 10)
    assert found["system.cpu.logical.mode.utilization{0,user}"] == pytest.approx(0.5)
    assert found["system.cpu.logical.mode.utilization{0,system}"] == pytest.approx(0.1)
    assert found["system.cpu.logical.mode.utilization{0,iowait}"] == pytest.approx(0.05)
    assert found["system.cpu.logical.mode.utilization{0,softirq}"] == pytest.approx(0.05)
    assert found["system.cpu.logical.utilization{0}"] == pytest.approx(0.65)
    assert "system.cpu.logical.mode.utilization{0,idle}" not in found


def test_only_so_many_cores_in_detail() -> None:
    found = look(make("cpu", host("metal"), modes_of_cores=1), 0)
    assert "system.cpu.logical.mode.utilization{0,user}" in found
    assert "system.cpu.logical.mode.utilization{1,user}" not in found
    assert "system.cpu.logical.utilization{1}" in found


def test_what_the_scheduler_did(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    cpu = make("cpu", on)
    first = look(cpu, 0)
    assert isnan(first["system.process.created.rate{}"])
    assert first["system.linux.thread.count{running}"] == 3
    assert first["system.linux.thread.count{blocked}"] == 1
    rewrite(on, "stat", "ctxt 5000000", "ctxt 5010000")
    rewrite(on, "stat", "intr 900000", "intr 900500")
    rewrite(on, "stat", "processes 70000", "processes 70025")
    found = look(cpu, 10)
    assert found["system.cpu.context_switches.rate{}"] == 1000
    assert found["system.cpu.interrupts.rate{}"] == 50
    assert found["system.process.created.rate{}"] == 2.5


def test_frequency() -> None:
    found = look(make("frequency", host("metal")), 0)
    assert found == {
        "system.cpu.frequency{}": 3.0e9,
        "system.cpu.frequency{0}": 2.2e9,
        "system.cpu.frequency{1}": 3.8e9,
    }
    assert look(make("frequency", host("big")), 0) == {}


def test_a_core_that_sleeps_has_no_frequency(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    Path(on.sys, "devices/system/cpu/cpu1/cpufreq/scaling_cur_freq").write_text("<unknown>\n")
    found = look(make("frequency", on), 0)
    assert isnan(found["system.cpu.frequency{1}"])
    assert found["system.cpu.frequency{}"] == 2.2e9


def test_of_many_cores_some_are_asked(tmp_path: Path) -> None:
    for core in range(128):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{1_000_000 + core}\n")
    found = look(make("frequency", Host(sys=str(tmp_path / "sys"))), 0)
    assert len(found) == 17
    assert "system.cpu.frequency{120}" in found


def test_a_slow_core_makes_the_others_wait_for_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frequency, "_PATIENCE", -1.0)
    sampler = make("frequency", host("metal"))
    first = look(sampler, 0)
    assert first["system.cpu.frequency{0}"] == 2.2e9
    assert isnan(first["system.cpu.frequency{1}"])
    assert look(sampler, 10)["system.cpu.frequency{1}"] == 3.8e9


def test_memory_in_its_parts() -> None:
    found = look(make("memory", host("metal")), 0)
    assert found["system.memory.shared{}"] == 250_000 * KIB
    assert found["system.linux.memory.slab.usage{reclaimable}"] == 1_000_000 * KIB
    assert found["system.linux.memory.slab.usage{unreclaimable}"] == 500_000 * KIB
    assert found["system.linux.memory.dirty{}"] == 2048 * KIB
    assert found["system.linux.memory.committed{}"] == 18_000_000 * KIB
    assert found["system.linux.memory.hugepages.usage{used}"] == 384 * 2048 * KIB
    assert found["system.linux.memory.hugepages.usage{free}"] == 128 * 2048 * KIB
    assert found["system.linux.memory.zswap.usage{compressed}"] == 300_000 * KIB
    assert found["system.linux.memory.zswap.usage{original}"] == 900_000 * KIB


def test_no_part_that_this_kernel_does_not_tell() -> None:
    found = look(make("memory", host("big")), 0)
    assert not [name for name in found if "huge" in name or "zswap" in name or "dirty" in name]


def test_zswap_stays_once_it_was_used(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    memory = make("memory", on)
    look(memory, 0)
    rewrite(on, "meminfo", "Zswapped:         900000 kB", "Zswapped:              0 kB")
    assert look(memory, 10)["system.linux.memory.zswap.usage{original}"] == 0


def test_faults_and_kills(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    memory = make("memory", on)
    look(memory, 0)
    rewrite(
        on,
        "vmstat",
        "pgfault 900000\npgmajfault 500\noom_kill 2",
        "pgfault 901020\npgmajfault 520\noom_kill 3",
    )
    found = look(memory, 10)
    assert found["system.paging.faults.rate{minor}"] == 100
    assert found["system.paging.faults.rate{major}"] == 2
    assert found["system.linux.memory.oom_kills.rate{}"] == pytest.approx(0.1)


def test_an_old_kernel_counts_no_kills(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    memory = make("memory", on)
    look(memory, 0)
    found = look(memory, 10)
    assert isnan(found["system.linux.memory.oom_kills.rate{}"])
    assert found["system.paging.operations.rate{in}"] == 0


def test_queue_of_a_disk(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    disk = make("disk", on)
    look(disk, 0)
    rewrite(on, "diskstats", "4000 3 3000 4500", "4000 3 3000 29500")
    assert look(disk, 10)["system.linux.disk.queue.length{nvme0n1}"] == pytest.approx(2.5)


def test_a_filesystem_that_turned_read_only() -> None:
    found = look(make("filesystem", host("metal")), 0)
    assert found["system.linux.filesystem.readonly{/dev/md0,/srv,ext4}"] == 1
    assert found["system.linux.filesystem.readonly{/dev/nvme0n1p2,/,ext4}"] == 0


def test_no_inodes_where_none_are_counted() -> None:
    def statvfs(path: str) -> os.statvfs_result:
        counted = 0 if path == "/boot/efi" else 500
        return os.statvfs_result((*FAKE_SPACE[:5], counted, *FAKE_SPACE[6:10]))

    filesystem = make("filesystem", host("metal", statvfs=statvfs))
    counted = {name.split(",")[1] for name in look(filesystem, 0) if "inodes" in name}
    assert counted == {"/", "/srv"}


def test_inodes_are_not_known_before_a_filesystem_answers() -> None:
    answers = [TimeoutError(), FAKE_SPACE, TimeoutError()]

    def statvfs(path: str) -> os.statvfs_result:
        answer = answers[0] if path == "/srv" else FAKE_SPACE
        if isinstance(answer, Exception):
            raise answer
        return answer

    filesystem = make("filesystem", host("metal", statvfs=statvfs))
    usage = "system.filesystem.inodes.utilization{/dev/md0,/srv,ext4}"
    assert usage not in look(filesystem, 0)
    answers.pop(0)
    assert look(filesystem, 10)[usage] == pytest.approx(0.75)
    answers.pop(0)
    assert isnan(look(filesystem, 20)[usage])


def test_links(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    network = make("network", on)
    found = look(network, 0)
    assert found["system.network.up{eno1}"] == 1
    assert found["system.network.up{eno2}"] == 0
    assert isnan(found["system.network.up{wg0}"])
    assert found["system.network.bandwidth.limit{eno1}"] == 1e9 / 8
    assert "system.network.bandwidth.limit{eno2}" not in found
    links = Path(on.sys) / "class/net"
    (links / "eno2/operstate").write_text("up\n")
    (links / "eno2/speed").write_text("10000\n")
    found = look(network, 10)
    assert found["system.network.up{eno2}"] == 1
    assert found["system.network.bandwidth.limit{eno2}"] == 1e10 / 8
    (links / "eno2/operstate").write_text("lowerlayerdown\n")
    (links / "eno2/speed").write_text("-1\n")
    found = look(network, 20)
    assert found["system.network.up{eno2}"] == 0
    assert isnan(found["system.network.bandwidth.limit{eno2}"])


def test_a_host_of_thousands_of_interfaces_and_disks_tells_of_some(tmp_path: Path) -> None:
    on = host("big", tmp_path)
    lines = "".join(f"tun{n}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n" for n in range(3000))
    Path(on.proc, "net/dev").write_text(f"a\nb\n{lines}")
    assert len(look(make("network", on), 0)) == 64 * 8
    for n in range(300):
        Path(on.sys, f"block/sd{n}").mkdir()
    disks = "".join(f"8 0 sd{n} 1 0 8 1 1 0 8 1 0 2 2\n" for n in range(300))
    Path(on.proc, "diskstats").write_text(disks)
    assert len(look(make("disk", on), 0)) == 96 * 8


def test_transport(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    transport = make("transport", on)
    assert all(map(isnan, look(transport, 0).values()))
    rewrite(on, "net/snmp", "7 50000 60000 150 0", "7 50500 60100 160 0")
    rewrite(on, "net/snmp", "Udp: 4000 30 5 4200 5 0", "Udp: 4100 40 5 4200 25 0")
    rewrite(on, "net/snmp6", "Udp6InDatagrams                 \t100", "Udp6InDatagrams                 \t150")
    rewrite(on, "net/netstat", "TcpExt: 0 0 11 12", "TcpExt: 0 0 16 12")
    found = look(transport, 10)
    assert found["system.network.tcp.segment.rate{receive}"] == 50
    assert found["system.network.tcp.segment.rate{transmit}"] == 10
    assert found["system.network.tcp.retransmit.rate{}"] == 1
    assert found["system.network.tcp.failure.rate{listen_overflow}"] == 0.5
    assert found["system.network.udp.datagram.rate{receive}"] == 15
    assert found["system.network.udp.errors.rate{no_port}"] == 1
    assert found["system.network.udp.errors.rate{receive_buffer}"] == 2


def test_transport_without_ipv6(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    Path(on.proc, "net/snmp6").unlink()
    Path(on.proc, "net/netstat").unlink()
    transport = make("transport", on)
    look(transport, 0)
    found = look(transport, 10)
    assert found["system.network.udp.datagram.rate{receive}"] == 0
    assert isnan(found["system.network.tcp.failure.rate{listen_overflow}"])


def connections(found: dict[str, float], state: str) -> float:
    return found[f"system.network.connection.count{{{state},tcp}}"]


def test_sockets_of_a_host_that_forbids_netlink() -> None:
    found = look(make("sockets", host("metal")), 0)
    assert connections(found, "listen") == 3
    assert connections(found, "close_wait") == 2
    assert connections(found, "syn_sent") == 1
    assert connections(found, "fin_wait_1") == 1
    assert connections(found, "established") == 5  # the kernel's 7 hold the two that the other end closed
    assert connections(found, "time_wait") == 4
    assert found["system.network.connection.count{udp}"] == 7
    assert found["system.linux.socket.count{}"] == 180
    assert found["system.linux.tcp.memory{}"] == 6 * os.sysconf("SC_PAGESIZE")
    assert found["system.linux.conntrack.count{}"] == 1234
    assert found["system.linux.conntrack.limit{}"] == 262_144


def test_a_list_of_sockets_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    rewrite(on, "net/sockstat", "TCP: inuse 9", "TCP: inuse 9000")
    found = look(make("sockets", on), 0)
    assert isnan(connections(found, "listen"))
    assert connections(found, "established") == 7
    assert connections(found, "time_wait") == 4


def test_the_kernel_counts_as_an_independent_reader_does() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as one,
    ):
        accepted, _ = server.accept()
        accepted.close()  # now `one` waits to be closed, and the other half for that
        one.recv(1)
        found = inet_diag.count([2, 5, 8, 10], 100_000)
        states = [each.status for each in psutil.net_connections("tcp")]
    assert found[8] >= 1
    assert found[10] >= 1
    assert found[10] == pytest.approx(states.count("LISTEN"), abs=20)


def test_more_sockets_than_it_is_worth_to_count() -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
    with pytest.raises(inet_diag.TooManySockets):
        inet_diag.count([10], 3)
    for server in servers:
        server.close()


def test_descriptors() -> None:
    found = look(make("descriptors", host("metal")), 0)
    assert found["system.linux.file_descriptor.count{}"] == 2112
    assert found["system.linux.file_descriptor.limit{}"] == 2**63


def test_boot_time(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    uptime = make("uptime", on)
    assert look(uptime, 0)["system.boot.time{}"] == 1_790_000_000
    rewrite(on, "stat", "btime 1790000000", "btime 1790000060")
    assert look(uptime, 10)["system.boot.time{}"] == 1_790_000_000, "looked at seldom"
    assert look(uptime, 700)["system.boot.time{}"] == 1_790_000_060
    assert abs(look(make("uptime", Host()), 0)["system.boot.time{}"] - psutil.boot_time()) < 2


def record(kind: int, process: int, user: bytes) -> bytes:
    start = struct.pack("=hhi32s4s32s", kind, 0, process, b"pts/0", b"ts/0", user)
    return start.ljust(users._RECORD, b"\0")


def test_who_is_in_utmp(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    entries = [
        (2, 0, b"reboot"),
        (7, 4242, b"anna"),
        (7, 4242, b"anna"),
        (7, 4242, b"bo"),
        (7, 99, b"gone"),
        (8, 4242, b""),
    ]
    Path(on.run, "utmp").write_bytes(b"".join(record(*entry) for entry in entries) + b"half a record")
    found = look(make("users", on), 0)
    assert found == {"system.user.count{}": 2, "system.user.session.count{}": 3}


def test_who_has_a_session_where_utmp_was_given_up(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    os.mkfifo(Path(on.run, "systemd/sessions/3.ref"))
    found = look(make("users", on), 0)
    assert found == {"system.user.count{}": 1, "system.user.session.count{}": 2}


def test_this_hosts_clock() -> None:
    found = look(make("clock", Host()), 0)
    if found:  # a container may be forbidden to ask
        assert abs(found["system.linux.clock.offset{}"]) < 10
        assert 0 <= found["system.linux.clock.max_error{}"] <= 100
        assert found["system.linux.clock.synchronized{}"] in (0, 1)


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [
        (0, 0x0001, [-0.0025, 0.5, 1.0]),
        (0, 0x2001, [-2.5e-06, 0.5, 1.0]),
        (5, 0x2041, [-2.5e-06, 0.5, 0.0]),
        (0, 0x0040, [-0.0025, 0.5, 0.0]),
    ],
    ids=["microseconds", "nanoseconds", "error", "unsynchronised"],
)
def test_what_the_kernel_says_of_the_clock(state: int, status: int, expected: list[float]) -> None:
    timex = struct.pack("@Illlli", 0, -2500, 0, 500_000, 0, status).ljust(512, b"\0")
    assert clock.decode(state, timex) == pytest.approx(expected)


@pytest.mark.skipif(sys.maxsize < 2**32, reason="the sizes below are of 64-bit machines")
def test_the_kernels_structure_is_laid_out_as_here() -> None:
    assert clock._TIMEX.size == 44
