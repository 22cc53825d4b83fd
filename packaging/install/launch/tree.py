"""Lays a verified release out on disk, in a directory of its own, and switches to it by one symlink.

A release's directory is a virtual environment made by hand, out of the unpacked wheels: neither pip nor venv has to be
on the host, and nothing is fetched.
"""

from __future__ import annotations

import compileall
import io
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from places import Places
from release import LAUNCH, File, Refused, Release, order_of

MAX_UNPACKED_BYTES = 512 << 20
_ENTRY = "#!{python} -I\nimport sys\nfrom pudim.cli import main\nsys.exit(main())\n"


def install(places: Places, release: Release, target: str, fetch: Callable[[File], bytes]) -> Path:
    """The release's directory, complete; another one is as it was. `fetch` brings a file's content. Raises Refused."""
    home = places.opt / release.directory
    if home.is_dir():
        return home  # it got its name when it was complete
    wanted = release.wanted(target)
    draft = places.opt / f".new.{release.directory}"
    shutil.rmtree(draft, ignore_errors=True)
    before = os.umask(0o022)  # the service's own would keep the agent's account from its own program
    try:
        packages = _environment(draft, home)
        for one in wanted:
            unpack(one.check(fetch(one)), draft / "launch" if one.name == LAUNCH else packages)
        compileall.compile_dir(str(packages), quiet=2, stripdir=str(draft), prependdir=str(home))
        _sync(draft)
        draft.rename(home)
    finally:
        os.umask(before)
        shutil.rmtree(draft, ignore_errors=True)
    return home


def _environment(draft: Path, home: Path) -> Path:
    """bin/python, bin/pudim and pyvenv.cfg; the directory for packages."""
    python = Path(os.path.realpath(sys.executable))
    packages = draft / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    (draft / "bin").mkdir()
    (draft / "bin" / "python").symlink_to(python)
    entry = draft / "bin" / "pudim"
    entry.write_text(_ENTRY.format(python=home / "bin" / "python"), "utf-8")
    entry.chmod(0o755)
    (draft / "pyvenv.cfg").write_text(
        f"home = {python.parent}\ninclude-system-site-packages = false\n", "utf-8"
    )
    for one in (draft, draft / "bin", draft / "lib", packages.parent, packages):
        one.chmod(0o755)
    return packages


def unpack(content: bytes, into: Path) -> None:
    """Raises Refused for an archive that would write elsewhere, or without end."""
    into.mkdir(mode=0o755, exist_ok=True)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(one.file_size for one in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise Refused("an archive of the release is too large")
            for one in archive.infolist():
                if not one.is_dir():
                    _write(into, one.filename, archive.read(one))
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise Refused(f"an archive of the release is damaged: {error}") from error


def _write(into: Path, name: str, content: bytes) -> None:
    parts = name.split("/")
    if "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise Refused(f"an archive of the release names a file {name!r}")
    path = into.joinpath(*parts)
    for folder in reversed([one for one in path.parents if into in one.parents]):
        folder.mkdir(mode=0o755, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o644)


def _sync(folder: Path) -> None:
    """Before its name says that it is complete, it must last through a power cut."""
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names):
            if not path.is_symlink():
                _sync_one(path)
        _sync_one(Path(place))


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def current(places: Places) -> str | None:
    """The directory's name of the release that is switched on."""
    try:
        return str(places.current.readlink())
    except OSError:
        return None


def current_order(places: Places) -> tuple[int, ...]:
    name = current(places)
    return order_of(name.partition("-")[0]) if name else ()


def switch(places: Places, directory: str) -> None:
    """At every moment the link leads to one whole release."""
    fresh = places.opt / ".current"
    with suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(directory)
    fresh.replace(places.current)
    _sync_one(places.opt)


def refresh_launch(places: Places, directory: str) -> None:
    """This program's next start is by the release's own copy of it."""
    link = places.opt / ".launch"
    with suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(f"{directory}/launch")
    link.replace(places.launch)


def prune(places: Places, keep: Iterable[str]) -> None:
    """Remove every release but these."""
    kept = set(keep)
    for one in places.opt.iterdir():
        if one.is_dir() and not one.is_symlink() and one.name not in kept:
            shutil.rmtree(one, ignore_errors=True)
