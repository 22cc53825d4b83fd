"""Containers of a recorded tree of control groups, named by a runtime that answers as the Engine API is published."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import AsyncIterator
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from pudim.vocabulary.metrics import METRICS
from pudim.wire.codec import unpack
from pudim_agent.container_groups import find
from pudim_agent.container_runtimes import image_name, unix_ms
from pudim_agent.samplers import Host, Reading, Tick
from tests.agent.engine import Engine
from tests.agent.hosts import look, make

ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)
FILES = {
    "cpu.stat": "usage_usec {cpu}\nuser_usec 1\nsystem_usec 1\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 5\n",
    "cpu.max": "50000 100000\n",
    "cpu.pressure": "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1\n",
    "memory.current": "1000000\n",
    "memory.max": "2000000\n",
    "memory.stat": "anon 400000\nfile 500000\nkernel 1\ninactive_file 250000\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill {kills}\n",
    "io.stat": "8:0 rbytes={io} wbytes=10 rios=1 wios=2 dbytes=0 dios=0\n253:1 rbytes=0 wbytes=0 rios=0 wios=0\n",
    "pids.current": "7\n",
    "cgroup.procs": "4242\n",
}


def put(host: Host, path: str, *, without: tuple[str, ...] = (), **figures: int) -> Path:
    root = Path(host.sys) / "fs/cgroup"
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    (root / "cgroup.controllers").write_text("cpu io memory pids\n")
    for name, text in FILES.items():
        if name not in without:
            told = {"cpu": 0, "periods": 0, "throttled": 0, "kills": 0, "io": 0, **figures}
            (folder / name).write_text(text.format(**told))
    return folder


@pytest.fixture
def on(tmp_path: Path) -> Host:
    for pid in ("self", "4242"):
        (tmp_path / "proc" / pid / "net").mkdir(parents=True)
    head = "Inter-|   Receive\n face |bytes\n"
    (tmp_path / "proc/self/net/dev").write_text(head + "  eth0: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n")
    (tmp_path / "proc/4242/net/dev").write_text(
        head + "    lo: 5000 0 0 0 0 0 0 0 5000 0\n  eth0: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n"
    )
    return Host(proc=str(tmp_path / "proc"), sys=str(tmp_path / "sys"), run=str(tmp_path / "run"))


@pytest.fixture
async def engine(on: Host) -> AsyncIterator[Engine]:
    found = await Engine(Path(on.run) / "docker.sock").start()
    yield found
    await found.stop()


def told(on: Host) -> dict[str, Any]:
    *_, (_, message) = on.notices.since(0)
    return next(part for part in unpack(message) if isinstance(part, dict))


def sources(sampler: Any, seconds: float) -> set[tuple[tuple[str, str], ...]]:
    found: list[Reading] = list(sampler.sample(Tick(int(seconds * 1000), seconds)))
    return {reading.labels for reading in found if reading.source == "container"}


DOCKER = f"system.slice/docker-{ONE}.scope"


@pytest.mark.parametrize(
    ("path", "runtime", "owner"),
    [
        (DOCKER, "docker", None),
        (f"docker/{ONE}", "docker", None),
        (f"machine.slice/libpod-{ONE}.scope", "podman", None),
        (f"libpod_parent/libpod-{ONE}", "podman", None),
        (f"user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ONE}.scope", "podman", 1000),
        (
            f"kubepods.slice/kubepods-burstable.slice/kubepods-pod1.slice/cri-containerd-{ONE}.scope",
            "containerd",
            None,
        ),
        (f"kubepods.slice/kubepods-pod1.slice/crio-{ONE}.scope", "cri-o", None),
        (f"some.slice/{ONE}", "unknown", None),
        (f"machine.slice/libpod-conmon-{ONE}.scope", None, None),
        (f"system.slice/docker-{ONE[:12]}.scope", None, None),
        ("system.slice/docker.service", None, None),
    ],
)
def test_where_containers_are(on: Host, path: str, runtime: str | None, owner: int | None) -> None:
    put(on, path)
    put(on, "system.slice/ssh.service")
    found = [(one.id, one.runtime, one.owner) for one in find(f"{on.sys}/fs/cgroup")]
    assert found == ([(ONE, runtime, owner)] if runtime else [])


def test_what_runs_inside_a_container_is_its_own_business(on: Host) -> None:
    put(on, DOCKER)
    put(on, f"{DOCKER}/docker/{TWO}")
    assert [one.id for one in find(f"{on.sys}/fs/cgroup")] == [ONE]


def test_figures(on: Host) -> None:
    put(on, DOCKER, cpu=1_000_000, periods=100, throttled=0, io=0)
    containers = make("container", on)
    look(containers, 0)
    put(on, DOCKER, cpu=3_500_000, periods=200, throttled=25, io=1000, kills=1)
    path = Path(on.proc) / "4242/net/dev"
    path.write_text(path.read_text().replace("100 1", "1100 1").replace("200 1", "400 1"))
    who = f"{ONE[:12]},docker"
    found = look(containers, 10)
    assert {name: value for name, value in found.items() if name.startswith("container.")} == pytest.approx(
        {
            f"container.cpu.usage{{{who}}}": 0.25,
            f"container.cpu.limit{{{who}}}": 0.5,
            f"container.cpu.utilization{{{who}}}": 0.5,
            f"container.cpu.throttled.share{{{who}}}": 0.25,
            f"container.memory.usage{{{who}}}": 1_000_000,
            f"container.memory.working_set{{{who}}}": 750_000,
            f"container.memory.rss{{{who}}}": 400_000,
            f"container.memory.limit{{{who}}}": 2_000_000,
            f"container.memory.utilization{{{who}}}": 0.375,
            f"container.memory.oom_kill.rate{{{who}}}": 0.1,
            f"container.disk.io.rate{{{who},read}}": 100,
            f"container.disk.io.rate{{{who},write}}": 0,
            f"container.disk.operations.rate{{{who},read}}": 0,
            f"container.disk.operations.rate{{{who},write}}": 0,
            f"container.network.io.rate{{{who},receive}}": 100,
            f"container.network.io.rate{{{who},transmit}}": 20,
            f"container.thread.count{{{who}}}": 7,
            f"container.pressure.share{{{who},some,cpu}}": 0.015,
            f"container.pressure.share{{{who},full,cpu}}": 0.005,
        }
    )
    assert found["pudim.container.count{running}"] == 1


def test_without_a_limit_there_is_no_share_of_it(on: Host) -> None:
    folder = put(on, DOCKER)
    (folder / "cpu.max").write_text("max 100000\n")
    (folder / "memory.max").write_text("max\n")
    found = look(make("container", on), 0)
    assert not any("limit" in name or "utilization" in name or "throttled" in name for name in found)


def test_a_file_that_is_missing_is_no_series_and_a_broken_one_no_value(on: Host) -> None:
    folder = put(on, DOCKER, without=("io.stat", "cpu.pressure", "memory.max"))
    (folder / "memory.current").write_text("\x00garbage")
    found = look(make("container", on), 0)
    assert not any("disk" in name or "pressure" in name for name in found)
    assert isnan(found[f"container.memory.usage{{{ONE[:12]},docker}}"])


def test_a_network_shared_with_the_host_has_no_series_of_its_own(on: Host) -> None:
    put(on, DOCKER)
    (Path(on.proc) / "4242/net/dev").unlink()
    os.link(Path(on.proc) / "self/net/dev", Path(on.proc) / "4242/net/dev")
    assert not any("network" in name for name in look(make("container", on), 0))


def test_a_process_number_of_another_network_brings_no_traffic(on: Host) -> None:
    put(on, DOCKER)
    containers = make("container", on)
    look(containers, 0)
    path = Path(on.proc) / "4242/net/dev"
    path.rename(path.with_name("old"))
    path.write_text(path.with_name("old").read_text().replace("100 1", "9999 1"))
    found = look(containers, 1)
    assert isnan(found[f"container.network.io.rate{{{ONE[:12]},docker,receive}}"])


def test_the_processes_may_be_in_a_group_inside(on: Host) -> None:
    folder = put(on, DOCKER)
    (folder / "cgroup.procs").write_text("")
    (folder / "init.scope").mkdir()
    (folder / "init.scope/cgroup.procs").write_text("4242\n")
    assert any("network" in name for name in look(make("container", on), 0))


def test_one_that_ends_takes_only_its_own_series_along(on: Host) -> None:
    put(on, DOCKER)
    folder = put(on, f"system.slice/docker-{TWO}.scope")
    containers = make("container", on)
    before = sources(containers, 0)
    shutil.rmtree(folder)
    assert len(before) == 2
    assert sources(containers, 1) == {one for one in before if (("container.id", ONE[:12])) in one}


def test_one_that_was_started_again_counts_from_a_new_zero(on: Host) -> None:
    folder = put(on, DOCKER, cpu=9_000_000)
    containers = make("container", on)
    look(containers, 0)
    folder.rename(folder.with_name("kept-so-that-the-inode-is-not-given-again"))
    put(on, DOCKER, cpu=10_000_000)
    assert isnan(look(containers, 10)[f"container.cpu.usage{{{ONE[:12]},docker}}"])


def test_too_many_are_counted_named_and_change_nothing_for_those_before(
    on: Host, caplog: pytest.LogCaptureFixture
) -> None:
    put(on, f"system.slice/docker-{TWO}.scope")
    containers = make("container", on, most=1)
    first = sources(containers, 0)
    put(on, DOCKER)
    put(on, f"system.slice/docker-{THREE}.scope")
    with caplog.at_level(logging.WARNING):
        assert sources(containers, 10) == first
        found = look(containers, 30)
    assert found["pudim.container.left_out.count{}"] == 2
    assert found["pudim.container.count{running}"] == 3
    assert caplog.text.count("have no series") == 1
    assert ONE[:12] in caplog.text
    assert {one["id"] for one in told(on)["containers"]} == {ONE[:12], TWO[:12], THREE[:12]}


def test_cgroup_v1_is_not_available(on: Host) -> None:
    folder = Path(on.sys) / f"fs/cgroup/memory/docker/{ONE}"
    folder.mkdir(parents=True)
    assert look(make("container", on), 0) == {}
    assert list(on.notices.since(0)) == []


async def test_names_come_from_the_runtime(on: Host, engine: Engine) -> None:
    put(on, DOCKER)
    engine.add(ONE, "shop", "registry.example:5000/shop/web:1.4@sha256:77", health="healthy", restarts=3)
    engine.add(TWO, "job", state="exited")
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    at = 1_700_000_000_000 + 60_500
    readings = list(containers.sample(Tick(at, 40.0)))
    labels = {one.labels for one in readings if one.source == "container"}
    assert labels == {
        (
            ("container.image.name", "registry.example:5000/shop/web"),
            ("container.name", "shop"),
            ("container.runtime", "docker"),
        )
    }
    found = look(containers, 41)
    who = "registry.example:5000/shop/web,shop,docker"
    assert found[f"pudim.container.health{{{who}}}"] == 1
    assert found[f"pudim.container.restart.count{{{who}}}"] == 3
    assert [found[f"pudim.container.count{{{state}}}"] for state in ("running", "exited", "paused")] == [
        1,
        1,
        0,
    ]
    uptime = next(one.values[0] for one in readings if one.series[0].metric == "container.uptime")
    assert uptime == pytest.approx(60.0)
    shop, job = told(on)["containers"]
    assert shop == {
        "id": ONE[:12], "name": "shop", "image": "registry.example:5000/shop/web:1.4@sha256:77", "runtime": "docker",
        "state": "running", "health": "healthy", "restarts": 3, "started": 1_700_000_000_500, "cpu": 0.0,
        "memory": 750_000, "memory_limit": 2_000_000,
    }  # fmt: skip
    assert (job["state"], job["cpu"], job["memory"]) == ("exited", None, None)
    assert told(on)["runtimes"] == ("docker",)


async def test_podman_answers_on_dockers_socket_too(on: Host) -> None:
    engine = await Engine(Path(on.run) / "docker.sock", product="Podman Engine", chunked=False).start()
    engine.add(TWO, "job", state="exited")
    containers = make("container", on)
    await containers.ask()
    look(containers, 0)
    assert told(on)["runtimes"] == ("podman",)
    await engine.stop()


async def test_only_what_changed_is_looked_at_again(on: Host, engine: Engine) -> None:
    folder = put(on, DOCKER)
    put(on, f"system.slice/docker-{TWO}.scope")
    engine.add(ONE, "one")
    engine.add(TWO, "two")
    engine.add(THREE, "three", state="exited")
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))

    async def asked() -> set[str]:
        engine.asked.clear()
        await containers.ask()
        return {target.split("/")[2] for target in engine.asked if target.endswith("/json")}

    assert await asked() == {ONE, TWO, THREE}
    assert await asked() == set()
    engine.containers[THREE]["state"] = "running"
    assert await asked() == {THREE}
    engine.containers[TWO]["health"] = "starting"
    assert await asked() == {TWO}
    engine.containers[TWO]["health"] = "unhealthy"
    assert await asked() == {TWO}
    del engine.containers[TWO]
    folder.rename(folder.with_name("old"))
    put(on, DOCKER)
    list(containers.sample(Tick(10_000, 10.0)))
    assert ONE in await asked()


async def test_its_name_is_waited_for(on: Host, engine: Engine) -> None:
    containers = make("container", on)
    containers._asking = True
    await containers.ask()
    engine.add(ONE, "shop")
    put(on, DOCKER)
    assert sources(containers, 0) == set()
    assert containers._appeared.is_set()
    await containers.ask()
    (labels,) = sources(containers, 10)
    assert dict(labels)["container.name"] == "shop"


async def test_a_socket_that_may_not_be_read_leaves_figures_without_names(
    on: Host, caplog: pytest.LogCaptureFixture
) -> None:
    put(on, DOCKER)
    path = Path(on.run) / "docker.sock"
    path.parent.mkdir(parents=True)
    path.write_text("nobody listens here")
    containers = make("container", on)
    containers._asking = True
    list(containers.sample(Tick(0, 0.0)))
    with caplog.at_level(logging.WARNING):
        await containers.ask()
        await containers.ask()
    assert sources(containers, 40) == {(("container.id", ONE[:12]), ("container.runtime", "docker"))}
    assert caplog.text.count("have no names") == 1
    assert "ConnectionRefusedError" in told(on)["problems"][0]
    assert "pudim.container.count{exited}" not in look(containers, 50)


async def test_what_runs_keeps_its_name_while_the_runtime_is_down(on: Host) -> None:
    engine = await Engine(Path(on.run) / "docker.sock").start()
    put(on, DOCKER)
    engine.add(ONE, "shop")
    engine.add(TWO, "job", state="exited")
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    before = sources(containers, 10)
    await engine.stop()
    engine.path.touch()
    await containers.ask()
    assert sources(containers, 20) == before
    look(containers, 60)
    assert [one["name"] for one in told(on)["containers"]] == ["shop"]


async def test_a_runtime_that_is_out_of_order_takes_no_names_along(on: Host, engine: Engine) -> None:
    put(on, DOCKER)
    engine.add(ONE, "shop", image="")
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    before = sources(containers, 10)
    assert before == {(("container.name", "shop"), ("container.runtime", "docker"))}
    engine.raw["/containers/json?all=1"] = b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}"
    await containers.ask()
    assert sources(containers, 20) == before
    look(containers, 60)
    assert "no list" in told(on)["problems"][0]


async def test_a_user_may_name_only_containers_of_his_own(on: Host) -> None:
    user = os.geteuid()
    engine = await Engine(Path(on.run) / f"user/{user}/podman/podman.sock", product="Podman Engine").start()
    own = f"user.slice/user-{user}.slice/user@{user}.service/user.slice/libpod-{TWO}.scope"
    put(on, DOCKER)
    put(on, own)
    engine.add(ONE, "not-mine")
    engine.add(TWO, "mine")
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    assert {dict(one).get("container.name") for one in sources(containers, 10)} == {None, "mine"}
    await engine.stop()


async def test_a_socket_in_another_users_place_is_not_believed(
    on: Host, caplog: pytest.LogCaptureFixture
) -> None:
    engine = await Engine(Path(on.run) / f"user/{os.geteuid() + 1}/docker.sock").start()
    engine.add(TWO, "job", state="exited")
    containers = make("container", on)
    await containers.ask()
    assert "listens in a place of user" in caplog.text
    assert engine.asked == []
    await engine.stop()


async def test_two_of_one_name_stay_two_sources(on: Host, engine: Engine) -> None:
    put(on, DOCKER)
    put(on, f"system.slice/docker-{TWO}.scope")
    engine.add(ONE, "shop")
    engine.add(TWO, "shop")
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    assert len(sources(containers, 10)) == 2


async def test_hostile_names(on: Host, engine: Engine) -> None:
    put(on, DOCKER)
    engine.add(ONE, "a\x1b[31m\u202e" + "x" * 1000, image="<script>\n" * 100)
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    for label in next(iter(sources(containers, 10))):
        assert label[1].isprintable()
        assert len(label[1]) <= 256


OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
LIES = [
    b"{}",
    b"[1, null, {}]",
    b'[{"Id": 5}]',
    b'[{"Id": "../../x"}]',
    b"[" * 100_000,
    b"\xff",
    b'[{"Id": null}]',
    b"null",
]


@pytest.mark.parametrize("lie", LIES)
async def test_a_runtime_that_lies(on: Host, engine: Engine, lie: bytes) -> None:
    put(on, DOCKER)
    engine.raw["/containers/json?all=1"] = OK % (len(lie), lie)
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    assert sources(containers, 10) == {(("container.id", ONE[:12]), ("container.runtime", "docker"))}
    assert all("x" not in target for target in engine.asked)


@pytest.mark.parametrize(
    "lie",
    [
        b"[]", b'{"State": []}', b'{"State": {"Health": 5, "StartedAt": 7}, "RestartCount": "many"}',
        b'{"State": {"Health": {"Status": "<b>"}, "StartedAt": "9999-99-99T99:99:99Z"}, "RestartCount": 1e400}',
        b'{"State": {"StartedAt": "0001-01-01T00:00:00Z"}, "RestartCount": -1}',
    ],
)  # fmt: skip
async def test_a_runtime_that_lies_of_one(on: Host, engine: Engine, lie: bytes) -> None:
    put(on, DOCKER)
    engine.add(ONE, "shop")
    engine.raw[f"/containers/{ONE}/json"] = OK % (len(lie), lie)
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    look(containers, 40)
    (one,) = told(on)["containers"]
    assert (one["name"], one["health"], one["restarts"], one["started"]) == ("shop", None, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000.123),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000.5),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("2023-13-14T22:13:20Z", None),
    ],
)
def test_times(text: Any, seconds: float | None) -> None:
    assert unix_ms(text) == (None if seconds is None else int(seconds * 1000))


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "nginx"),
        ("nginx:1.25", "nginx"),
        ("host:5000/a/b", "host:5000/a/b"),
        ("host:5000/a/b:1@sha256:77", "host:5000/a/b"),
        ("sha256:77", "sha256"),
        ("", ""),
    ],
)
def test_image_names(image: str, name: str) -> None:
    assert image_name(image) == name


async def test_every_metric_of_containers_is_in_the_table_and_comes_from_here(
    on: Host, engine: Engine
) -> None:
    put(on, DOCKER)
    engine.add(ONE, "shop")
    containers = make("container", on)
    list(containers.sample(Tick(0, 0.0)))
    await containers.ask()
    emitted = {one.metric for reading in containers.sample(Tick(0, 0.0)) for one in reading.series}
    assert emitted == {name for name in METRICS if name.startswith(("container.", "pudim.container."))}
