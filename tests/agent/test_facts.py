"""What a host says of itself: on this one, on recorded ones, on one that says nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil
import pytest

from pudim.wire.codec import unpack
from pudim.wire.layouts import MAX_LABELS, MAX_TEXT
from pudim_agent.addresses import addresses
from pudim_agent.facts import host_facts
from pudim_agent.samplers import Host
from pudim_agent.virtualization import virtualization
from tests.agent.hosts import TREES, look, make

METAL = str(TREES / "metal")


def test_this_host() -> None:
    found = host_facts()
    assert found["host.name"] == os.uname().nodename
    assert found["host.memory"] == str(psutil.virtual_memory().total)
    assert found["host.cpu.count"] == str(os.cpu_count())
    assert len(found) <= MAX_LABELS
    assert all(text and len(text) <= MAX_TEXT and text.isprintable() for text in found.values())


def test_a_recorded_machine() -> None:
    found = host_facts(METAL, lambda: ["192.0.2.7", "2001:db8::7"])
    assert found["host.model"] == "ASUSTeK COMPUTER INC. System Product Name"
    assert found["host.virtualization"] == "none"
    assert found["host.cpu.model.name"] == "AMD Ryzen 7 3700X 8-Core Processor"
    assert found["host.memory"] == str(32_000_000 * 1024)
    assert found["host.timezone"] == "Europe/Berlin"
    assert found["os.description"] == "Debian GNU/Linux 12 (bookworm)"
    assert found["host.ip"] == "192.0.2.7, 2001:db8::7"


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    def refused() -> list[str]:
        raise PermissionError

    found = host_facts(str(tmp_path), refused)
    assert not {"host.model", "host.virtualization", "host.timezone", "host.ip", "host.memory"} & set(found)


def test_hostile_and_endless_files(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_bytes(b'PRETTY_NAME="\x1b[31mEvil\xff\x00' + b"x" * 100_000)
    os.mkfifo(tmp_path / "etc/timezone")
    found = host_facts(
        str(tmp_path), lambda: ["2001:db8:1111:2222:3333:4444:5555:" + f"{n:04x}" for n in range(50)]
    )
    assert found["os.description"].isprintable()
    assert len(found["os.description"]) <= MAX_TEXT
    assert len(found["host.ip"]) <= MAX_TEXT
    assert found["host.ip"].count(",") > 3
    assert "host.timezone" not in found


def test_the_time_zone_by_its_link(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/America/Sao_Paulo")
    assert host_facts(str(tmp_path), list)["host.timezone"] == "America/Sao_Paulo"


def test_addresses_are_those_that_an_independent_reader_sees() -> None:
    seen = {one.address.partition("%")[0] for every in psutil.net_if_addrs().values() for one in every}
    found = addresses()
    assert set(found) <= seen
    assert not [one for one in found if one.startswith(("127.", "fe80:", "::1"))]


def dmi(root: Path, vendor: str, product: str) -> str:
    folder = root / "sys/class/dmi/id"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sys_vendor").write_text(f"{vendor}\n")
    (folder / "product_name").write_text(f"{product}\n")
    return str(root)


@pytest.mark.parametrize(
    ("vendor", "product", "expected"),
    [
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "kvm"),
        ("VMware, Inc.", "VMware Virtual Platform", "vmware"),
        ("innotek GmbH", "VirtualBox", "virtualbox"),
        ("Microsoft Corporation", "Virtual Machine", "hyper-v"),
        ("Microsoft Corporation", "Surface Pro", "none"),
        ("Hetzner", "vServer", "kvm"),
        ("Amazon EC2", "m5.large", "amazon"),
        ("Amazon EC2", "m5.metal", "none"),
        ("Google", "Google Compute Engine", "google"),
        ("Dell Inc.", "PowerEdge R740", "none"),
    ],
)
def test_virtual_machines_by_their_makers(vendor: str, product: str, expected: str, tmp_path: Path) -> None:
    shutil.copytree(TREES / "metal/proc", tmp_path / "proc")
    assert virtualization(dmi(tmp_path, vendor, product)) == expected


def test_a_hypervisor_that_hides_its_name(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("flags\t\t: fpu hypervisor lahf_lm\n")
    assert virtualization(str(tmp_path)) == "virtual machine"


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("run/systemd/container", "lxc\n", "lxc"),
        ("run/.containerenv", "", "podman"),
        (".dockerenv", "", "docker"),
    ],
)
def test_containers(file: str, text: str, expected: str, tmp_path: Path) -> None:
    path = Path(dmi(tmp_path, "QEMU", "x")) / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert virtualization(str(tmp_path)) == expected


def test_they_are_told_once_and_when_they_change() -> None:
    on = Host()
    facts = make("facts", on)
    assert look(facts, 0) == {}
    assert look(facts, 400) == {}
    ((_, message),) = on.notices.since(0)
    notice = unpack(message)
    assert "facts" in notice
    assert host_facts() in notice
