"""Real containers: Podman runs them in real control groups (v2) and names them on its real socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest

from pudim_agent.samplers import Host
from tests.agent.hosts import look, make

_GROUP = "libpod_parent"
_SCRIPT = """
set -e
umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
exec "$@"
"""


class Podman:
    """In a mount namespace of its own; what a container may not have in a sandbox is left out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "run/podman/podman.sock"
        self._rootfs = folder / "rootfs"
        (self._rootfs / "bin").mkdir(parents=True)
        self.socket.parent.mkdir(parents=True)
        shutil.copy("/bin/busybox", self._rootfs / "bin/busybox")
        for name in ("sleep", "true"):
            (self._rootfs / "bin" / name).symlink_to("busybox")

    def command(self, *words: str) -> list[str]:
        place = [
            f"--root={self.folder}/root",
            f"--runroot={self.folder}/runroot",
            f"--tmpdir={self.folder}/own",
        ]
        kind = ["--cgroup-manager=cgroupfs", "--storage-driver=vfs", "--events-backend=none"]
        inside = ["unshare", "--mount", "--propagation", "private", "bash", "-c", _SCRIPT, "bash"]
        return [*inside, "podman", *place, *kind, *words]

    def do(self, *words: str) -> str:
        done = subprocess.run(
            self.command(*words), capture_output=True, check=False, timeout=60, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())
        return done.stdout.decode().strip()

    def run(self, name: str, *command: str) -> str:
        limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", "--pids-limit=0", "--privileged"]
        wanted = ["--detach", "--network=none", "--log-driver=none", f"--name={name}"]
        return self.do("run", *wanted, *limits, "--rootfs", str(self._rootfs), *command)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Podman takes no long ones."""
    path = Path(mkdtemp(prefix="pudim"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def podman(short_path: Path) -> Iterator[Podman]:
    if os.geteuid() != 0 or not shutil.which("podman") or not Path("/bin/busybox").exists():
        pytest.skip("needs root, podman and busybox")
    found = Podman(short_path)
    cgroup = short_path / "sys/fs/cgroup"
    cgroup.mkdir(parents=True)
    subprocess.run(["mount", "-t", "cgroup2", "none", str(cgroup)], check=True)
    try:
        yield found
    finally:
        with suppress(RuntimeError):
            found.do("rm", "--time=0", "--all", "--force")
        for one in sorted((cgroup / _GROUP).glob("*/"), reverse=True):
            with suppress(OSError):
                one.rmdir()
        with suppress(OSError):
            (cgroup / _GROUP).rmdir()
        subprocess.run(["umount", str(cgroup)], check=True)


async def test_a_real_container_from_its_start_to_its_end(podman: Podman, short_path: Path) -> None:
    try:
        id_ = podman.run("sleepy", "/bin/sleep", "300")
    except RuntimeError as error:
        pytest.skip(f"no containers can run here: {error}")
    podman.run("ended", "/bin/true")
    service = subprocess.Popen(  # noqa: ASYNC220 - a server
        podman.command("system", "service", "--time=0", f"unix://{podman.socket}"), stdin=subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            while not podman.socket.exists():
                await asyncio.sleep(0.05)
        containers = make("container", Host(sys=str(short_path / "sys"), run=str(short_path / "run")))
        look(containers, 0)
        await containers.ask()
        found = look(containers, 10)
        assert found["container.cpu.usage{sleepy,podman}"] >= 0
        assert found["container.pressure.share{sleepy,podman,some,memory}"] >= 0
        assert found["container.network.io.rate{sleepy,podman,receive}"] == 0
        assert found["pudim.container.restart.count{sleepy,podman}"] == 0
        assert found["pudim.container.count{running}"] == 1
        assert found["pudim.container.count{exited}"] == 1
        assert containers._runtimes[str(podman.socket)].known[id_].started_ms
        await asyncio.to_thread(podman.do, "rm", "--time=0", "--force", "sleepy")
        await containers.ask()
        found = look(containers, 30)
        assert not any("sleepy" in name for name in found)
        assert found["pudim.container.count{running}"] == 0
    finally:
        service.kill()
        service.wait()
