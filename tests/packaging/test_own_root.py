"""On a machine's real root, seen by one process only: accounts, owners, the Debian package, and that nothing stays.

Every folder that is written to is an overlay in a mount namespace of the test's own; the machine itself is not changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT
from tests.packaging.hosts import PATIENCE, Host, invitation, server
from tests.running import RunningPudim

PRELUDE = """
set -eu
mount -t tmpfs tmpfs /mnt
for one in etc opt usr var; do
    mkdir -p /mnt/$one/upper /mnt/$one/work
    mount -t overlay overlay -o lowerdir=/$one,upperdir=/mnt/$one/upper,workdir=/mnt/$one/work /$one
done
left() { (cd /mnt && find etc/upper opt/upper usr/upper var/upper ! -type d | grep -i pudim || true); }
"""


def can_overlay() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", PRELUDE], capture_output=True, check=False
        ).returncode
        == 0
    )


pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not can_overlay(), reason="needs root that may make mount namespaces and overlays"),
]


def within(script: str, **words: str) -> subprocess.CompletedProcess[str]:
    """Run it as root of a machine that ends with it."""
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", PRELUDE + script],
        env=os.environ | words,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        check=False,
    )


def test_the_line_makes_an_account_that_owns_its_state_alone(host: Host, pudim: RunningPudim) -> None:
    words, token = invitation(pudim, "own-root")
    done = within(
        """
        sh "$SCRIPT" $WORDS --interval-ms 500
        stat -c '%U %G %a %n' /var/lib/pudim-agent /var/lib/pudim-agent/identity /etc/pudim/agent.toml \
            /etc/pudim/release.pub /opt/pudim-agent/current/bin/pudim
        runuser -u pudim-agent -- /usr/bin/python3 -I /opt/pudim-agent/launch run &
        for _ in $(seq 100); do
            grep -q 'streams 1' /var/lib/pudim-agent/status 2>/dev/null && break
            sleep 0.3
        done
        cat /var/lib/pudim-agent/status
        if runuser -u pudim-agent -- touch /opt/pudim-agent/x /etc/pudim/x 2>/dev/null; then echo WRITABLE; fi
        pudim agent doctor
        kill $!
        wait || true
        sh "$SCRIPT" --uninstall
        echo "LEFT $(left)"
        getent passwd pudim-agent || echo 'no account'
        """,
        SCRIPT=str(host.script),
        WORDS=" ".join(words),
        PUDIM_PYTHON="/usr/bin/python3",
        PUDIM_ENROLMENT_TOKEN=token,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pudim-agent pudim-agent 700 /var/lib/pudim-agent\n" in done.stdout
    assert "pudim-agent pudim-agent 600 /var/lib/pudim-agent/identity\n" in done.stdout
    assert "root pudim-agent 640 /etc/pudim/agent.toml\n" in done.stdout
    assert "root root 644 /etc/pudim/release.pub\n" in done.stdout
    assert "streams 1" in done.stdout
    assert "WRITABLE" not in done.stdout
    assert "FAIL" not in done.stdout
    assert server(pudim, "own-root")["agent_version"]
    assert "no account" in done.stdout
    assert _left(done.stdout) == []


@pytest.fixture(scope="module")
def package(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    said = subprocess.run(
        [ROOT / "packaging/deb/build", bundle, tmp_path_factory.mktemp("deb")],
        capture_output=True,
        text=True,
        check=True,
    )
    (made,) = said.stdout.split()
    return Path(made)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg")
def test_the_debian_package_comes_and_goes(package: Path) -> None:
    done = within(
        """
        dpkg --install "$PACKAGE"
        /usr/local/bin/pudim agent status --state-dir /var/lib/pudim-agent || echo "status $?"
        test -f /etc/systemd/system/pudim-agent.service
        echo kept > /var/lib/pudim-agent/identity
        dpkg --install "$PACKAGE"
        dpkg --remove pudim-agent
        test ! -e /opt/pudim-agent && test -f /var/lib/pudim-agent/identity && echo 'state kept'
        dpkg --purge pudim-agent
        echo "LEFT $(left)"
        getent passwd pudim-agent || echo 'no account'
        """,
        PACKAGE=str(package),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "status 1" in done.stdout, "not enrolled yet, which it says"
    assert "state kept" in done.stdout
    assert "no account" in done.stdout
    assert _left(done.stdout) == []


def _left(said: str) -> list[str]:
    """Files of ours that are still there; dpkg's log tells of every package for ever."""
    found = said.partition("LEFT ")[2].partition("no account")[0].split()
    return [one for one in found if "var/upper/log/" not in one]


@pytest.mark.skipif(shutil.which("lintian") is None, reason="no lintian")
def test_lintian_finds_no_error(package: Path) -> None:
    said = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", package],
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout
