"""A real systemd as a user's service manager, in namespaces of its own, over units that a test writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SYSTEMD = Path("/lib/systemd/systemd")
_SCRIPT = """
set -e
echo 0 > "$1/cgroup.procs"; shift
exec unshare --cgroup bash -ec '
    mount -t cgroup2 none /sys/fs/cgroup
    mount -t tmpfs none /run/systemd; mkdir /run/systemd/system
    exec "$@"
' bash "$@"
"""


def can_run() -> bool:
    """As root with namespaces, where Debian's systemd and D-Bus are installed."""
    if os.geteuid() != 0 or not SYSTEMD.exists() or not shutil.which("dbus-daemon"):
        return False
    tried = subprocess.run(["unshare", "--mount", "--cgroup", "true"], capture_output=True, check=False)
    return tried.returncode == 0


@contextmanager
def systemd(folder: Path, units: dict[str, str]) -> Iterator[Path]:
    """The directory in which its sockets are, laid out as /run is."""
    run, unit_path = folder / "run", folder / "units"
    for one in (run, unit_path, run / "systemd/system"):
        one.mkdir(parents=True)
    run.chmod(0o700)
    for name, text in units.items():
        (unit_path / name).write_text(text)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(run),
        "SYSTEMD_UNIT_PATH": str(unit_path),
    }
    command = ["unshare", "--mount", "--propagation", "private", "bash", "-c", _SCRIPT, "bash"]
    with _group(folder / "cgroup") as group, (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(group), str(SYSTEMD), "--user", "--show-status=no"],
            env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait_for(run / "systemd/private", process, folder / "log")
            yield run
        finally:
            process.kill()
            process.wait()


@contextmanager
def _group(mount: Path) -> Iterator[Path]:
    """A control group of its own, in which everything ends with the test: what systemd starts outlives it."""
    mount.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "none", str(mount)], check=True)
    group = mount / f"pudim-test-{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        (group / "cgroup.kill").write_text("1")
        _remove(group)
        subprocess.run(["umount", str(mount)], check=True)


def _remove(group: Path) -> None:
    """Once the kernel has ended what was in it."""
    deadline = time.monotonic() + 10
    while group.is_dir() and time.monotonic() < deadline:
        for one in sorted((path for path in [group, *group.rglob("*")] if path.is_dir()), reverse=True):
            with suppress(OSError):
                one.rmdir()
        time.sleep(0.02)


def _wait_for(path: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"systemd did not start: {log.read_text(errors='replace')}")
        time.sleep(0.02)
