"""Sensors, batteries, GPUs, disks' own diagnosis and software RAID, as recorded machines tell of them."""

from __future__ import annotations

import asyncio
import logging
import shutil
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim.wire.codec import unpack
from pudim_agent.samplers import Host, gpu, smart
from tests.agent.hosts import host, look, make, settled

NVME = "Samsung SSD 980 PRO 1TB,physical_disk"
SATA = "ST4000VN008-2DR166,physical_disk"


def told(on: Host, kind: str) -> Any:
    """The newest notice of a kind."""
    notices = [unpack(message) for _, message in on.notices.since(0)]
    found = [document for one in notices for document in [one[3]] if one[1] == kind]
    return found[-1] if found else None


def program(on: Host, name: str, body: str) -> None:
    path = Path(on.programs) / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_sensors() -> None:
    found = look(settled("sensors", host("metal")), 0)
    assert found["hw.temperature{coretemp coretemp.0 temp1,Package id 0,temperature}"] == 54
    assert found["hw.temperature.limit{coretemp coretemp.0 temp1,Package id 0,temperature}"] == 100
    assert found["hw.temperature{coretemp coretemp.0 temp2,Core 0,temperature}"] == 51.5
    assert found["hw.fan.speed{nct6775 nct6775.656 fan1,nct6775 fan1,fan}"] == 1180
    assert found["hw.fan.speed{nct6775 nct6775.656 fan2,nct6775 fan2,fan}"] == 0
    assert found["hw.power{amdgpu 0000:0b:00.0 power1,PPT,power_supply}"] == 35
    assert not [name for name in found if "in0" in name or "x86_pkg_temp" in name]


def test_a_sensor_that_is_not_connected_is_unknown() -> None:
    found = look(settled("sensors", host("metal")), 0)
    for sensor in ("temp7", "temp8"):
        assert isnan(found[f"hw.temperature{{nct6775 nct6775.656 {sensor},nct6775 {sensor},temperature}}"])


def test_zones_where_no_monitor_tells_a_temperature(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    shutil.rmtree(Path(on.sys, "class/hwmon"))
    found = look(settled("sensors", on), 0)
    assert found == {"hw.temperature{thermal_zone0,x86_pkg_temp,temperature}": 54}


def test_figures_that_are_not_renewed_become_unknown() -> None:
    sensors = settled("sensors", host("metal"))
    name = "hw.temperature{coretemp coretemp.0 temp1,Package id 0,temperature}"
    assert [look(sensors, at)[name] for at in (100, 130)] == [54, 54]
    assert isnan(look(sensors, 131)[name])


def test_power() -> None:
    found = look(settled("power", host("metal")), 0)
    assert found == {
        "hw.status{AC,AC,ok,power_supply}": 0,
        "hw.battery.charge{BAT0,5B10W139,battery}": 0.83,
        "hw.power{BAT0,5B10W139,battery}": 12.5,
    }


async def test_with_nothing_to_ask_there_is_no_work() -> None:
    for kind in ("power", "gpu", "smart"):
        await asyncio.wait_for(make(kind, host("small")).run(), 5)


def test_nvidia() -> None:
    found = look(settled("gpu", host("metal")), 0)
    first = "gpu 00000000:01:00.0,NVIDIA GeForce RTX 3080,gpu"
    assert found[f"hw.gpu.utilization{{{first}}}"] == 0.42
    assert found[f"hw.gpu.memory.usage{{{first}}}"] == 2311 * 2**20
    assert found[f"hw.gpu.memory.limit{{{first}}}"] == 10240 * 2**20
    assert found[f"hw.gpu.memory.utilization{{{first}}}"] == pytest.approx(2311 / 10240)
    assert found[f"hw.temperature{{{first}}}"] == 61
    assert found[f"hw.power{{{first}}}"] == pytest.approx(187.52)
    assert found[f"hw.fan.speed_ratio{{{first}}}"] == 0.48
    assert "hw.fan.speed_ratio{gpu 00000000:02:00.0,Tesla T4,gpu}" not in found
    assert found["hw.power{gpu 00000000:02:00.0,Tesla T4,gpu}"] == pytest.approx(9.87)


def test_amd(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    Path(on.programs, "nvidia-smi").unlink()
    found = look(settled("gpu", on), 0)
    assert found == {
        "hw.gpu.utilization{gpu device,AMD GPU,gpu}": 0.37,
        "hw.gpu.memory.usage{gpu device,AMD GPU,gpu}": 2**30,
        "hw.gpu.memory.limit{gpu device,AMD GPU,gpu}": 8573157376,
        "hw.gpu.memory.utilization{gpu device,AMD GPU,gpu}": pytest.approx(2**30 / 8573157376),
    }


@pytest.mark.parametrize(
    "body",
    ["exit 9", "echo 'No devices were found'", "head -c 100000 /dev/zero", "exec cat /proc/self/environ"],
)
def test_a_program_that_answers_nonsense_costs_its_figures(
    body: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    on = host("metal", tmp_path)
    sampler = settled("gpu", on)
    before = look(sampler, 0)
    program(on, "nvidia-smi", body)
    loop = asyncio.new_event_loop()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            loop.run_until_complete(sampler.slow.refresh())
    loop.close()
    assert caplog.text.count("GPUs: ") == 1
    assert look(sampler, 80) == before
    assert all(map(isnan, look(sampler, 200).values()))


@given(st.binary(max_size=200))
def test_no_answer_of_nvidias_program_breaks_anything(text: bytes) -> None:
    try:
        found = gpu.parse(text)
    except ValueError:
        return
    assert all(one.labels for one in found)


def test_disks_say_how_they_are() -> None:
    on = host("metal")
    found = look(settled("smart", on), 0)
    assert found[f"hw.status{{/dev/nvme0,{NVME.replace(',', ',ok,')}}}"] == 1
    assert found[f"hw.temperature{{/dev/nvme0,{NVME}}}"] == 41
    assert found[f"hw.physical_disk.endurance_utilization{{/dev/nvme0,{NVME}}}"] == 0.07
    assert (
        found["hw.physical_disk.smart{/dev/sda,ST4000VN008-2DR166,reallocated_sectors,physical_disk}"] == 24
    )
    assert found["hw.physical_disk.smart{/dev/sda,ST4000VN008-2DR166,power_on_hours,physical_disk}"] == 35555
    assert found[f"hw.temperature{{/dev/sda,{SATA}}}"] == 36
    assert not [name for name in found if "/dev/sdb" in name], "it may not be opened"
    disks = {disk["device"]: disk for disk in told(on, "disks")["disks"]}
    assert disks["/dev/nvme0"] == {
        "device": "/dev/nvme0",
        "model": "Samsung SSD 980 PRO 1TB",
        "serial_end": "456K",
        "healthy": True,
        "temperature": 41.0,
        "hours": 12345.0,
        "wear": 0.07,
        "problems": (),
    }
    assert list(disks["/dev/sda"]["problems"]) == [
        "reallocated sectors: 24",
        "pending sectors: 8",
        "Head_Flying_Hours is beyond its limit",
    ]
    assert disks["/dev/sdc"]["healthy"] is None, "it sleeps, and was never seen awake"


def test_a_disk_that_fell_asleep_keeps_what_it_said(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    sampler = settled("smart", on)
    recorded = tmp_path / "recorded"
    shutil.copy(recorded / "smartctl-standby.json", recorded / "smartctl-nvme.json")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(sampler.slow.refresh())
    loop.close()
    assert look(sampler, 0)[f"hw.temperature{{/dev/nvme0,{NVME}}}"] == 41


def test_disks_that_may_not_be_read_are_said_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    on = host("metal", tmp_path)
    (tmp_path / "recorded/smartctl-scan.json").write_text(
        '{"devices": [{"name": "/dev/sdb", "type": "scsi"}]}'
    )
    with caplog.at_level(logging.WARNING):
        assert look(settled("smart", on), 0) == {}
    assert "smartctl may not read 1 disks" in caplog.text
    assert told(on, "disks") is None


def test_a_device_that_looks_like_an_option_is_not_asked(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    scan = '{"devices": [{"name": "--set=x", "type": "sat"}, 7, {"name": "/dev/nvme0", "type": ""}]}'
    (tmp_path / "recorded/smartctl-scan.json").write_text(scan)
    assert look(settled("smart", on), 0) == {}


def test_the_real_program_is_understood(caplog: pytest.LogCaptureFixture) -> None:
    """Virtual machines have no disks that it lists; what is tried is the call, its JSON, and no complaint."""
    if shutil.which("smartctl", path=Host().programs) is None:
        pytest.skip("smartmontools is not installed")
    with caplog.at_level(logging.WARNING):
        found = look(settled("smart", Host()), 0)
    assert "ValueError" not in caplog.text
    assert all(name.startswith("hw.") for name in found)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "smart_status",
    "temperature",
    "power_on_time",
    "model_name",
    "serial_number",
    "endurance_used",
    "nvme_smart_health_information_log",
    "ata_smart_attributes",
    "scsi_grown_defect_list",
)


@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING | st.fixed_dictionaries({"table": ANYTHING})))
def test_no_answer_of_a_disk_breaks_anything(document: dict[str, Any]) -> None:
    disk = smart.disk_of("/dev/sda", document)
    assert all(value >= 0 for _, value in smart._figures(disk))
    assert len(disk.serial_end) <= 4


def test_arrays() -> None:
    on = host("metal")
    found = look(make("raid", on), 0)
    assert found["system.linux.raid.device.count{wanted,md127}"] == 3
    assert found["system.linux.raid.device.count{working,md127}"] == 2
    assert found["system.linux.raid.device.count{failed,md127}"] == 1
    assert found["system.linux.raid.device.count{spare,md127}"] == 1
    assert found["system.linux.raid.sync.progress{md127}"] == pytest.approx(0.1874, abs=1e-4)
    assert found["system.linux.raid.device.count{working,md0}"] == 2
    assert isnan(found["system.linux.raid.sync.progress{md0}"])
    first, second = told(on, "disks")["arrays"]
    assert (first["device"], first["level"], first["state"], first["progress"]) == (
        "md0",
        "raid1",
        "clean",
        None,
    )
    assert (second["device"], second["state"], second["failed"]) == ("md127", "recover", 1)


def test_an_array_that_lost_a_disk_is_degraded(tmp_path: Path) -> None:
    on = host("metal", tmp_path)
    folder = Path(on.sys, "block/md0/md")
    (folder / "dev-sdb1/state").write_text("faulty\n")
    (folder / "degraded").write_text("1\n")
    look(make("raid", on), 0)
    assert told(on, "disks")["arrays"][0]["state"] == "degraded"


def test_disks_and_arrays_are_told_together() -> None:
    on = host("metal")
    look(settled("smart", on), 0)
    look(make("raid", on), 0)
    notice = told(on, "disks")
    assert len(notice["disks"]) == 3
    assert len(notice["arrays"]) == 2
