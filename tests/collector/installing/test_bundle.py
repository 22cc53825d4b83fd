"""The agent that this collector gives away: whole, signed by the installation's release key, or not there at all."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pudim.wire import keys
from pudim_collector.features.installing.rules import MAX_FILES, RELEASE_DOMAIN, BadBundle
from pudim_collector.features.installing.service import NoAgentBundle, Releases
from tests.collector.app.site import Site

FILES = {"install.sh": b"#!/bin/sh\nexit 0\n", "launch.zip": b"zip", "pudim-0.1.0.whl": b"wheel"}


def manifest(files: dict[str, bytes], /, **changed: Any) -> dict[str, Any]:
    described = {name: {"sha256": sha256(one).hexdigest(), "size": len(one)} for name, one in files.items()}
    targets = {"x86_64-cp311": [name for name in files if name.endswith(".whl")]}
    return {
        "format": 1,
        "name": "pudim-agent",
        "version": "0.1.0",
        "files": described,
        "targets": targets,
    } | changed


def bundle(path: Path, said: dict[str, Any] | bytes, contents: list[bytes]) -> Path:
    document = said if isinstance(said, bytes) else json.dumps(said).encode()
    with tarfile.open(path, "w") as archive:
        for name, content in [
            ("manifest.json", document),
            *((f"files/{n}", c) for n, c in enumerate(contents)),
        ]:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path / "kept", keys.generate())


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return bundle(tmp_path / "whole.tar", manifest(FILES), list(FILES.values()))


def test_what_is_added_is_signed_and_offered(releases: Releases, whole: Path) -> None:
    assert not releases.is_offered()
    releases.add(whole)
    signed = releases.signed()
    keys.verify(releases.key.public_key(), signed[:64], RELEASE_DOMAIN + signed[64:])
    assert json.loads(signed[64:]) == manifest(FILES)
    assert releases.install_script() == FILES["install.sh"]
    assert releases.path_of(sha256(b"wheel").hexdigest()).read_bytes() == b"wheel"


def test_the_release_before_the_newest_can_still_be_fetched(
    releases: Releases, tmp_path: Path, whole: Path
) -> None:
    releases.add(whole)
    for number in (1, 2):
        files = FILES | {"pudim-0.1.0.whl": b"wheel %d" % number}
        releases.add(bundle(tmp_path / "next.tar", manifest(files), list(files.values())))
    assert releases.path_of(sha256(b"wheel 1").hexdigest()).is_file()
    with pytest.raises(NoAgentBundle):
        releases.path_of(sha256(b"wheel").hexdigest())


@pytest.mark.parametrize(
    "make",
    [
        lambda path: bundle(path, manifest(FILES), [b"wheeL" if one == b"wheel" else one for one in FILES.values()]),
        lambda path: bundle(path, manifest(FILES | {"new": b"new"}), list(FILES.values())),
        lambda path: bundle(path, manifest(FILES), [*FILES.values(), b"more"]),
        lambda path: bundle(path, manifest(FILES), [b"wheel"] * (MAX_FILES + 1)),
        lambda path: bundle(path, manifest(FILES, version="0.1.0-rc1"), list(FILES.values())),
        lambda path: bundle(path, manifest(FILES, version="../../etc"), list(FILES.values())),
        lambda path: bundle(path, manifest(FILES, name="another"), list(FILES.values())),
        lambda path: bundle(path, manifest(FILES, targets={"x86_64-cp311": ["gone.whl"]}), list(FILES.values())),
        lambda path: bundle(path, manifest({"pudim.whl": b"wheel"}), [b"wheel"]),
        lambda path: bundle(path, manifest(FILES, files={"a": {"sha256": "../x", "size": 1}}), []),
        lambda path: bundle(path, b"[" * 100_000, []),
        lambda path: bundle(path, b" " * ((1 << 20) + 1), []),
        lambda path: bundle(path, b"\xff\xfe", []),
        lambda path: _written(path, b"no tar"),
        lambda path: _written(path, b""),
        lambda path: _with_link(path, manifest(FILES)),
    ],
)  # fmt: skip
def test_a_bundle_that_is_not_whole_changes_nothing(
    make: Callable[[Path], Path], releases: Releases, whole: Path, tmp_path: Path
) -> None:
    releases.add(whole)
    before = releases.signed()
    with pytest.raises(BadBundle):
        releases.add(make(tmp_path / "bad.tar"))
    assert releases.signed() == before
    assert releases.install_script() == FILES["install.sh"]


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _with_link(path: Path, said: dict[str, Any]) -> Path:
    bundle(path, said, [])
    with tarfile.open(path, "a") as archive:
        entry = tarfile.TarInfo("files/link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    return path


async def test_a_host_gets_it_without_an_account(site: Site, whole: Path) -> None:
    async with site.client(token="") as client:
        for path in (
            "install.sh",
            "bundle/release",
            f"bundle/files/{'0' * 64}",
            "bundle/files/..%2f..%2frelease.key",
        ):
            answer = await client.get(f"/agent/v1/{path}")
            assert answer.status_code == 404, path
        assert (await client.get("/agent/v1/install.sh")).json()["code"] == "no_agent_bundle"
        releases = site.runtime.releases
        releases.add(whole)
        script = await client.get("/agent/v1/install.sh")
        assert script.content == FILES["install.sh"]
        assert script.headers["content-type"].startswith("text/x-shellscript")
        assert (await client.get("/agent/v1/bundle/release")).content == releases.signed()
        wheel = await client.get(f"/agent/v1/bundle/files/{sha256(b'wheel').hexdigest()}")
        assert wheel.content == b"wheel"


async def test_the_line_installs_once_there_is_an_agent_to_install(site: Site, whole: Path) -> None:
    async with site.client() as client:
        before = (await client.post("/api/v2/enrolment-tokens")).json()["command"]
        site.runtime.releases.add(whole)
        after = (await client.post("/api/v2/enrolment-tokens")).json()["command"]
    assert before.startswith("pudim agent enrol ")
    assert after.startswith("curl -fsS http")
    assert f"--release-key {site.runtime.releases.public_key}" in after
