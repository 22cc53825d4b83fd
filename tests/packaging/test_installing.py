"""From one line to samples at the collector, and away again: on a root of its own, from the collector's own answers."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import pytest

from pudim.wire.keys import generate, public_bytes, to_text
from tests.packaging.hosts import Host, Service, invitation, server
from tests.packaging.releases import Shop
from tests.running import RunningPudim

pytestmark = pytest.mark.processes


def test_one_line_to_samples_and_back_to_nothing(host: Host, pudim: RunningPudim) -> None:
    words, token = invitation(pudim, "installed")
    done = host.install(*words, "--interval-ms", "500", token=token)
    assert done.returncode == 0, done.stderr
    assert host.pudim("agent", "doctor", "--config", str(host.root / "etc/pudim/agent.toml")).returncode == 0
    with Service(host) as service:
        service.until(lambda: server(pudim, "installed")["state"] == "live")
        service.until(lambda: host.status().get("streams") == "1")
    assert (host.root / "etc/pudim/release.pub").read_text().strip() == words[
        words.index("--release-key") + 1
    ]

    again = host.install(*words, token="spent")
    assert again.returncode == 0, again.stderr
    assert "enrolled already" in again.stderr

    away = host.install("--uninstall")
    assert away.returncode == 0, away.stderr
    left = [one for one in host.files() if not (host.root / one).is_dir()]
    assert left == []
    assert not [one for one in host.files() if "pudim" in one]


def test_a_download_that_was_cut_off_does_nothing(host: Host) -> None:
    text = host.script.read_bytes()
    for end in [*range(0, len(text) - 8, 997), len(text) - len('main "$@"\n')]:
        host.script.write_bytes(text[:end])
        host.install("--url", "http://127.0.0.1:9")
        assert host.files() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--release-key", "short"], "not a release key"),
        (["--release-key", to_text(public_bytes(generate()))], "not signed by the pinned release key"),
        (["--release-key", f"-{'A' * 42}"], "not signed by the pinned release key"),
        (["--url", "http://127.0.0.1:9"], "Connection refused"),
        (["--url", "http://192.0.2.1"], "is not encrypted"),
        (["--url", "ftp://x"], "starts with https://"),
        (["--ca-file", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(
    host: Host, pudim: RunningPudim, words: list[str], said: str
) -> None:
    right, token = invitation(pudim, "refused")
    done = host.install(*right, *words, token=token)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert host.files() == []


def test_a_token_that_does_not_count_is_said(host: Host, pudim: RunningPudim) -> None:
    words, _ = invitation(pudim, "unknown")
    done = host.install(*words, token="pud_enr_invented")
    assert done.returncode == 1
    assert "could not enrol" in done.stderr
    assert not (host.state / "identity").exists()


@pytest.mark.parametrize("damaged", ["release", "file"])
def test_a_release_that_was_tampered_with_is_refused(
    host: Host, pudim: RunningPudim, shop: Shop, damaged: str
) -> None:
    folder, said = pudim.data_dir / "agent-release", shop.releases.offered()
    agent = next(one for name, one in said.files.items() if name.startswith("pudim_agent-"))
    path = folder / "release" if damaged == "release" else folder / "files" / agent.sha256
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    try:
        words, token = invitation(pudim, "tampered")
        done = host.install(*words, token=token)
    finally:
        path.write_bytes(whole)
    assert done.returncode == 1
    assert "not signed" in done.stderr or "was changed or cut off" in done.stderr
    assert not (host.opt / "current").exists()
    assert not [one for one in host.files() if "site-packages" in one]


def test_without_a_python_it_says_so(host: Host, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("mktemp", "cat", "rm"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    text = host.script.read_text().replace("/usr/bin/python3", "/nowhere/python3")
    host.script.write_text(text)
    done = subprocess.run(
        ["/bin/sh", host.script],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no Python 3.10 or newer" in done.stderr


def test_the_script_is_clean_for_every_shell(host: Host) -> None:
    for shell in (
        ["sh", "-n"],
        ["bash", "--posix", "-n"],
        ["busybox", "sh", "-n"],
        ["shellcheck", "--shell=sh"],
    ):
        try:
            done = subprocess.run([*shell, host.script], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_manifest_is_the_one_that_was_built(pudim: RunningPudim, shop: Shop) -> None:
    with urllib.request.urlopen(
        f"http://127.0.0.1:{pudim.port}/agent/v1/bundle/release", timeout=30
    ) as answer:
        said = json.loads(answer.read()[64:])
    assert said["version"] == shop.builder.own_version()
    assert {"install.sh", "launch.zip"} <= said["files"].keys()
