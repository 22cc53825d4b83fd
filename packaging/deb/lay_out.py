"""Lays out a Debian package's tree from a bundle: lay_out.py BUNDLE WORK TEMPLATES, called by `build`."""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
SHARE = Path("usr/share/pudim-agent")
SCRIPTS = ("postinst", "prerm", "postrm")
DATE = "Thu, 01 Jan 1970 00:00:00 +0000"


def main(bundle: Path, work: Path, templates: Path) -> None:
    with tarfile.open(bundle, "r:") as archive:
        manifest = json.load(archive.extractfile("manifest.json") or sys.stdin)
        for machine in sorted({target.partition("-")[0] for target in manifest["targets"]}):
            lay_out(archive, manifest, machine, work, templates)


def lay_out(
    archive: tarfile.TarFile,
    manifest: dict[str, dict[str, dict[str, str]]],
    machine: str,
    work: Path,
    templates: Path,
) -> None:
    architecture, version = ARCHITECTURES[machine], str(manifest["version"])
    tree = work / f"pudim-agent_{version}_{architecture}"
    files = tree / SHARE / "bundle/files"
    files.mkdir(parents=True)
    # No signature: dpkg checked where the package comes from. The installer still checks every hash.
    release = bytes(64) + _content(archive, "manifest.json")
    (tree / SHARE / "bundle/release").write_bytes(release)
    for name in _wanted(manifest, machine):
        digest = manifest["files"][name]["sha256"]
        (files / digest).write_bytes(_content(archive, f"files/{digest}"))
    launch = manifest["files"]["launch.zip"]["sha256"]
    with zipfile.ZipFile(files / launch) as program:
        program.extractall(tree / SHARE / "launch")  # noqa: S202 - our own, of plain names
    _document(tree, version, templates)
    _control(tree, version, architecture, templates)
    for path in tree.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.name in SCRIPTS else 0o644)


def _wanted(manifest: dict[str, dict[str, dict[str, str]]], machine: str) -> set[str]:
    found = {"launch.zip"}
    for target, names in manifest["targets"].items():
        if target.startswith(f"{machine}-"):
            found.update(names)
    return found


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise SystemExit(f"{name} is no file in the bundle")
    return file.read()


def _document(tree: Path, version: str, templates: Path) -> None:
    documents = tree / "usr/share/doc/pudim-agent"
    documents.mkdir(parents=True)
    shutil.copy(templates / "copyright", documents / "copyright")
    entry = f"pudim-agent ({version}) stable; urgency=medium\n\n  * Pudim's agent {version}.\n\n"
    entry += f" -- Pudim <maintainers@pudim.example.net>  {DATE}\n"
    (documents / "changelog.gz").write_bytes(gzip.compress(entry.encode(), mtime=0))


def _control(tree: Path, version: str, architecture: str, templates: Path) -> None:
    control = tree / "DEBIAN"
    control.mkdir()
    size = sum(one.stat().st_size for one in tree.rglob("*") if one.is_file()) // 1024
    text = (templates / "control").read_text("utf-8")
    for word, value in {"@VERSION@": version, "@ARCHITECTURE@": architecture, "@SIZE@": str(size)}.items():
        text = text.replace(word, value)
    (control / "control").write_text(text, "utf-8")
    for name in SCRIPTS:
        shutil.copy(templates / name, control / name)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
