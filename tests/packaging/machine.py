"""A machine that systemd runs: this one's files and programs in namespaces of their own, with systemd as process 1.

What it writes goes to overlays that end with it. It shares this machine's network, so it reaches what listens on
loopback, and its clock. Units that would touch the kernel that all share (sysctl, udev, ...) are masked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

PATIENCE = 60.0
SYSTEMD = Path("/lib/systemd/systemd")
_BOOT = """
set -eu
mount -t tmpfs tmpfs /mnt
for one in etc home opt root srv tmp usr var; do
    mkdir -p /mnt/$one/upper /mnt/$one/work
    mount -t overlay overlay -o lowerdir=/$one,upperdir=/mnt/$one/upper,workdir=/mnt/$one/work /$one
done
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --bind /dev /dev
mount -o remount,bind,ro /dev
mount -t tmpfs -o mode=755 tmpfs /run
: > /etc/machine-id
for one in /etc/systemd/system /usr/lib/systemd/system; do
    rm -rf $one/*.wants $one/*.requires $one/*.upholds
done
for one in random-seed remount-fs sysctl sysusers tmpfiles-setup tmpfiles-setup-dev udevd; do
    ln -sf /dev/null /etc/systemd/system/systemd-$one.service
done
exec env -i container=pudim-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=basic.target --log-target=console --show-status=no
"""


def _control_groups() -> Path | None:
    """Where the hierarchy that systemd needs is mounted."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    return None


def can_boot() -> bool:
    return (
        os.geteuid() == 0
        and SYSTEMD.exists()
        and None not in (shutil.which("unshare"), shutil.which("nsenter"), _control_groups())
    )


class Machine:
    """Runs until the end of the `with`."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def __enter__(self) -> Self:
        groups = _control_groups()
        assert groups is not None
        self._group = groups / f"pudim-test-{os.getpid()}"
        self._group.mkdir()
        alone = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child=KILL"]
        join = f'echo $$ > "{self._group}/cgroup.procs"; exec "$@"'
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", join, "sh", *alone, "sh", "-c", _BOOT],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.until(self._is_up)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        folders = [self._group, *(one for one in self._group.rglob("*") if one.is_dir())]
        deadline = time.monotonic() + PATIENCE
        while folders and time.monotonic() < deadline:  # they are empty a moment after
            with suppress(OSError):
                folders[-1].rmdir()
                folders.pop()
                continue
            time.sleep(0.05)

    def run(self, *argv: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """As root of this machine, with this machine's own environment."""
        return subprocess.run(
            ["nsenter", f"--target={self._first}", "--mount", "--pid", "--uts", "--ipc", "--cgroup", *argv],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=check,
        )

    def write(self, path: str, content: str, mode: int = 0o644) -> None:
        self.run("install", "-D", f"--mode={mode:o}", "/dev/null", path)
        subprocess.run(
            ["nsenter", f"--target={self._first}", "--mount", "tee", path],
            input=content.encode(),
            stdout=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=True,
        )

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", f"--property={name}", "--value", unit).stdout.strip()

    def until(self, condition: object, seconds: float = PATIENCE) -> None:
        assert callable(condition)
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self._log.read_text(errors="replace")[-4000:]
            time.sleep(0.1)

    @property
    def _first(self) -> int:
        """What process 1 of this machine is called outside of it."""
        return int(psutil.Process(self._process.pid).children()[0].pid)

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(self._log.read_text(errors="replace")[-4000:])
        with suppress(IndexError, psutil.Error):
            return self.run("systemctl", "is-system-running", check=False).stdout.strip() in {
                "running",
                "degraded",
            }
        return False
