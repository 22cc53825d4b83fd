"""An update is switched on, taken back when it does not stream, and refused where it must not be: with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.hosts import Host, Service, invitation, server
from tests.packaging.releases import CRASHES, HANGS, NOT_CONNECTING, Shop
from tests.running import RunningPudim

pytestmark = pytest.mark.processes


@pytest.fixture
def installed(
    host: Host, pudim: RunningPudim, shop: Shop, bundle: Path, request: pytest.FixtureRequest
) -> Host:
    shop.releases.add(bundle)
    words, token = invitation(pudim, request.node.name)
    done = host.install(*words, "--interval-ms", "500", token=token)
    assert done.returncode == 0, done.stderr
    return host


@pytest.fixture
def service(installed: Host) -> Iterator[Service]:
    with Service(installed) as running:
        running.until(lambda: installed.status().get("streams") == "1")
        yield running


def stage(host: Host, pudim: RunningPudim, words: list[str]) -> subprocess.CompletedProcess[str]:
    return host.launch("stage", "--url", f"http://127.0.0.1:{pudim.port}", *words)


def end_agent(host: Host) -> None:
    os.kill(int(host.status()["pid"]), signal.SIGTERM)


def running_release(host: Host) -> str:
    said = host.status()
    return said["release"] if said.get("streams") == "1" and Path("/proc", said["pid"]).exists() else ""


def test_a_newer_release_that_works_stays(
    service: Service, installed: Host, pudim: RunningPudim, shop: Shop, request: pytest.FixtureRequest
) -> None:
    before = installed.current
    done = stage(installed, pudim, shop.offer("0.2.0"))
    assert done.returncode == 0, done.stderr
    end_agent(installed)
    service.until(
        lambda: (
            running_release(installed).startswith("0.2.0-") and not (installed.opt / "trial.json").exists()
        )
    )
    service.until(lambda: server(pudim, request.node.name)["agent_version"] == "0.2.0")
    assert installed.current != before
    assert (installed.opt / "launch").resolve() == installed.opt / installed.current / "launch"
    assert (installed.opt / before).is_dir(), "the one before is kept"
    assert not (installed.state / "update").exists()


def test_the_agents_account_can_read_what_its_service_puts_in_place(
    installed: Host, pudim: RunningPudim, shop: Shop
) -> None:
    """The unit's umask lets nobody else read what it writes, and root writes the release."""
    assert stage(installed, pudim, shop.offer("0.2.5")).returncode == 0
    subprocess.run(
        [installed.python, "-I", installed.opt / "launch", "prepare", "--root", installed.root],
        umask=0o077,
        check=True,
        timeout=60,
    )
    assert installed.current.startswith("0.2.5-")
    for one in (installed.opt / installed.current).rglob("*"):
        if not one.is_symlink():
            assert one.stat().st_mode & 0o055 == (
                0o055 if one.is_dir() else one.stat().st_mode & 0o011 | 0o044
            )


@pytest.mark.parametrize(
    "changes", [CRASHES, HANGS, NOT_CONNECTING], ids=["crashes", "hangs", "does-not-connect"]
)
def test_a_newer_release_that_does_not_stream_is_taken_back(
    service: Service, installed: Host, pudim: RunningPudim, shop: Shop, changes: dict[str, str]
) -> None:
    before = installed.current
    words = shop.offer("0.3.0", changes)
    assert stage(installed, pudim, words).returncode == 0
    end_agent(installed)
    service.until((installed.opt / "failed.json").exists)
    service.until(lambda: running_release(installed) == before)
    assert installed.current == before
    again = stage(installed, pudim, words)
    assert again.returncode == 1
    assert "did not stream" in again.stderr


def test_the_running_agent_hands_itself_over(installed: Host, pudim: RunningPudim, shop: Shop) -> None:
    """As the action does: in the agent's own Python, with what a command says."""
    version, digest, signature = (one.partition("=")[2] for one in shop.offer("0.4.0"))
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from pudim.wire.keys import from_text\n"
        "from pudim_agent.config import load\n"
        "from pudim_agent.updating import update\n"
        "async def main():\n"
        "    config = load(Path(sys.argv[1]))\n"
        "    print(await update(sys.argv[2], sys.argv[3].encode(), from_text(sys.argv[4], 64), config), flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [
            *(installed.opt / "current/bin/python", "-I", "-c", program),
            *(installed.root / "etc/pudim/agent.toml", version, digest, signature),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "0.4.0 is staged" in done.stdout, done.stderr
    assert done.returncode == -signal.SIGTERM, "it ends, so that the next start puts the update in place"
    assert (installed.state / "update/release").is_file()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda words: [words[0], words[1], f"--signature={'A' * 86}"], "another release than the one"),
        (lambda words: [words[0], f"--digest={'0' * 64}", words[2]], "another release than the one"),
        (lambda words: ["--version=9.9.9", *words[1:]], "the release is 0.5.0, not 9.9.9"),
    ],
)
def test_a_command_about_another_release_is_refused(
    installed: Host, pudim: RunningPudim, shop: Shop, change: object, said: str
) -> None:
    assert callable(change)
    done = stage(installed, pudim, change(shop.offer("0.5.0")))
    assert done.returncode == 1
    assert said in done.stderr
    assert not (installed.state / "update").exists()


@pytest.mark.parametrize("version", ["0.1.0", "0.0.9", "0.1"])
def test_nothing_older_is_taken(installed: Host, pudim: RunningPudim, shop: Shop, version: str) -> None:
    done = stage(installed, pudim, shop.offer(version, {"pudim_agent/text.py": "\n"}))
    assert done.returncode == 1
    assert "is not newer than" in done.stderr


@pytest.mark.parametrize("what", ["release", "file", "link", "older", "other key"])
def test_what_the_agents_account_staged_is_not_believed(
    installed: Host, pudim: RunningPudim, shop: Shop, what: str
) -> None:
    """Whoever took over the agent's account can write there; root checks all of it again."""
    before = installed.current
    assert stage(installed, pudim, shop.offer("0.6.0")).returncode == 0
    staged = installed.state / "update"
    signed = staged / "release"
    if what == "release":
        signed.write_bytes(signed.read_bytes().replace(b'"0.6.0"', b'"0.7.0"'))
    elif what == "file":
        largest = max(staged.iterdir(), key=lambda one: one.stat().st_size)
        largest.write_bytes(largest.read_bytes()[:-1] + b"x")
    elif what == "link":
        largest = max(staged.iterdir(), key=lambda one: one.stat().st_size)
        largest.rename(installed.state / "moved")
        largest.symlink_to(installed.state / "moved")
    elif what == "older":
        shop.offer("0.0.1")
        signed.write_bytes(shop.releases.signed())
    else:
        stranger = Shop(shop.builder, shop.made, installed.root.with_name("stranger"), shop.folder)
        stranger.offer("0.8.0")
        signed.write_bytes(stranger.releases.signed())
    done = installed.launch("prepare")
    assert done.returncode == 0, "the agent that is there must start"
    assert "the update is refused" in done.stderr
    assert installed.current == before
    assert not (installed.opt / "trial.json").exists()
    assert not staged.exists()


def test_a_power_cut_while_unpacking_leaves_the_agent_that_was_there(
    installed: Host, pudim: RunningPudim, shop: Shop
) -> None:
    assert stage(installed, pudim, shop.offer("0.9.0")).returncode == 0
    before = installed.current
    process = subprocess.Popen(
        [installed.python, "-I", installed.opt / "launch", "prepare", "--root", installed.root]
    )
    while process.poll() is None and not list(installed.opt.glob(".new.*")):
        pass
    process.kill()
    process.wait()
    assert installed.current == before
    assert installed.launch("prepare").returncode == 0
    assert installed.current.startswith("0.9.0-")
    assert not list(installed.opt.glob(".new.*"))
