"""A file system that a test can fill, where this user may mount one."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NOT_HERE = "no disk can be filled: mounting a small one needs root"


class SmallDisk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            for piece in (bytes(1 << 20), bytes(1 << 12)):
                with suppress(OSError):
                    while file.write(piece):
                        continue
        assert os.statvfs(self.folder).f_bavail == 0

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(size: int) -> Iterator[SmallDisk | None]:
    """None where it may not be mounted."""
    with tempfile.TemporaryDirectory(prefix="pudim-test-") as folder:
        argv = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", folder]
        mounted = os.geteuid() == 0 and subprocess.run(argv, check=False, capture_output=True).returncode == 0
        try:
            yield SmallDisk(Path(folder)) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", folder], check=True)
