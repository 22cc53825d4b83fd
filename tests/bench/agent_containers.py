"""Containers for the agent to see: a tree of control groups with their files, put over the real one for this benchmark only.

The files are ordinary ones, which read faster than the kernel's own that they stand for.
"""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

INSIDE = "--inside"
_CONTROL_GROUPS = "/sys/fs/cgroup"
_FILES = {
    "cpu.stat": "usage_usec 5000000\nuser_usec 4000000\nsystem_usec 1000000\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n",
    "cpu.max": "max 100000\n",
    "cpu.pressure": "some avg10=0.50 avg60=0.10 avg300=0.00 total=9\nfull avg10=0.10 avg60=0.00 avg300=0.00 total=5\n",
    "memory.current": "52428800\n",
    "memory.max": "max\n",
    "memory.stat": "".join(
        f"{name} 1048576\n"
        for name in ("anon", "file", "kernel", "slab", "sock", "shmem", "inactive_file", "active_file")
    ),
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
    "io.stat": "8:0 rbytes=1048576 wbytes=1048576 rios=20 wios=20 dbytes=0 dios=0\n",
    "pids.current": "7\n",
}


def possible() -> bool:
    """Root may give itself a view of the mounts that ends with it."""
    return os.geteuid() == 0 and shutil.which("unshare") is not None


def go_inside(module: str) -> None:
    """Start this program again where what it mounts is seen by nobody else. Does not return."""
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", module]
    os.execvp(argv[0], [*argv, *sys.argv[1:], INSIDE])  # noqa: S606 - our own, by argv


def put(count: int, folder: Path, stack: ExitStack) -> None:
    """`count` running containers as Docker makes them under systemd, until the stack ends."""
    folder.mkdir()
    (folder / "cgroup.controllers").write_text("cpu io memory pids\n")
    for number in range(count):
        group = folder / "system.slice" / f"docker-{32 * f'{number:02x}'}.scope"
        group.mkdir(parents=True)
        for name, text in _FILES.items():
            (group / name).write_text(text)
        (group / "cgroup.procs").write_text(f"{os.getpid()}\n")
    subprocess.run(["mount", "--bind", str(folder), _CONTROL_GROUPS], check=True)
    stack.callback(subprocess.run, ["umount", "--lazy", _CONTROL_GROUPS], check=False)
