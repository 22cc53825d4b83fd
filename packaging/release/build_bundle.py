"""Makes the agent's bundle: our wheels and every library for each kind of host, the installer, and a manifest of hashes.

    python packaging/release/build_bundle.py --out dist [--target x86_64-cp311 ...]

The bundle is not signed here: `pudim admin agent-bundle add` signs its manifest with the installation's release key.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
INSTALL = ROOT / "packaging/install"
UNIT = ROOT / "packaging/systemd/pudim-agent.service"
MACHINES = ("x86_64", "aarch64")
PYTHONS = ("310", "311", "312", "313")
GLIBC = ("2_28", "2_17", "2_12", "2_5")
"""The oldest is Debian 10's and RHEL 8's; wheels for older ones run there too."""
EPOCH = (1980, 1, 1, 0, 0, 0)


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--target", action="append", help="only for this kind of host, such as x86_64-cp311")
    wish = parser.parse_args(words)
    targets = wish.target or [f"{machine}-cp{python}" for machine in MACHINES for python in PYTHONS]
    wish.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files, wheels = collect(Path(folder), targets)
        print(write_bundle(wish.out, own_version(), files, wheels))


def own_version() -> str:
    found = re.search(r'^version = "([0-9.]+)"$', (ROOT / "agent/pyproject.toml").read_text(), re.MULTILINE)
    assert found is not None  # noqa: S101 - the file is ours
    return found[1]


def collect(folder: Path, targets: Iterable[str]) -> tuple[dict[str, bytes], dict[str, list[str]]]:
    """The content of every file by name, and the wheels of each target."""
    own = [build_wheel(name, folder / "own") for name in ("shared", "agent")]
    files = {"launch.zip": launch_program(), "install.sh": install_script()}
    wheels = {}
    for target in targets:
        found = [*own, *download(target, folder / target)]
        wheels[target] = sorted(one.name for one in found)
        files |= {one.name: one.read_bytes() for one in found}
    return files, wheels


def build_wheel(name: str, out: Path) -> Path:
    before = set(out.glob("*.whl"))
    command = [
        Path(sys.executable).with_name("uv"),
        "build",
        "--quiet",
        "--wheel",
        "--out-dir",
        out,
        ROOT / name,
    ]
    subprocess.run(command, check=True)
    (made,) = set(out.glob("*.whl")) - before
    return made


def download(target: str, out: Path) -> list[Path]:
    machine, python = target.split("-cp")
    platforms = [f"--platform=manylinux_{glibc}_{machine}" for glibc in GLIBC]
    platforms.append(f"--platform=manylinux2014_{machine}")
    wanted = list(requirements(python))
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
        *(f"--dest={out}", f"--python-version={python}", "--implementation=cp", *platforms, *wanted),
    ]
    subprocess.run(command, check=True)
    found = sorted(out.glob("*.whl"))
    assert len(found) == len(wanted), (found, wanted)  # noqa: S101 - pip gave one wheel for each
    return found


def requirements(python: str) -> Iterator[str]:
    """The pinned libraries of that Python, whichever runs this program."""
    version = f"{python[0]}.{python[1:]}"
    about = {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    for line in REQUIREMENTS.read_text().splitlines():
        one = Requirement(line)
        if one.marker is None or one.marker.evaluate(about):
            yield f"{one.name}{one.specifier}"


def launch_program() -> bytes:
    """The program that installs and starts, as an archive whose bytes depend on nothing but its files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in program_files():
            archive.writestr(zipfile.ZipInfo(path.name, EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return content.getvalue()


def program_files() -> list[Path]:
    return [*sorted((INSTALL / "launch").glob("*.py")), UNIT]


def install_script() -> bytes:
    """install.sh with the program in it, each file as text that a person can read before running it."""
    parts = ["write_program() {"]
    for path in program_files():
        text = path.read_text("utf-8")
        assert "\nEND_OF_FILE\n" not in text  # noqa: S101 - the files are ours
        parts += [f"    cat >\"$1/{path.name}\" <<'END_OF_FILE'", f"{text}END_OF_FILE"]
    parts.append("}")
    script = (INSTALL / "install.sh").read_text("utf-8")
    assert script.count("#PROGRAM#\n") == 1  # noqa: S101 - the file is ours
    return script.replace("#PROGRAM#\n", "\n".join(parts) + "\n").encode()


def write_bundle(out: Path, version: str, files: dict[str, bytes], targets: dict[str, list[str]]) -> Path:
    """`pudim-agent-VERSION.tar`: manifest.json and files/<sha256>."""
    described = {
        name: {"sha256": sha256(content).hexdigest(), "size": len(content)}
        for name, content in sorted(files.items())
    }
    manifest = {
        "format": 1,
        "name": "pudim-agent",
        "version": version,
        "files": described,
        "targets": targets,
    }
    path = out / f"pudim-agent-{version}.tar"
    with tarfile.open(path, "w") as archive:
        _add(archive, "manifest.json", json.dumps(manifest, indent=1, sort_keys=True).encode())
        for name, content in sorted(files.items()):
            _add(archive, f"files/{described[name]['sha256']}", content)
    return path


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(content), int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 0o644
    archive.addfile(entry, io.BytesIO(content))


if __name__ == "__main__":
    main(sys.argv[1:])
