"""A real agent under a policy of root's, asked by a real collector: through the API, over the link, and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.running import RunningPudim

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can write a policy that counts"),
]
PATIENCE = 60.0


@pytest.fixture
def etc() -> Iterator[Path]:
    """A directory that is root's alone up to the root; pytest's own lies where everybody can write."""
    with tempfile.TemporaryDirectory(prefix="pudim-test-", dir="/var/lib") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def pudim(tmp_path: Path) -> Iterator[RunningPudim]:
    with RunningPudim(tmp_path / "data") as running:
        yield running


def until(said: Any, wanted: Any) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not wanted(found := said()):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_a_log_is_read_where_the_host_allows_it(pudim: RunningPudim, etc: Path) -> None:
    (etc / "app.log").write_text("one\ntwo <b>\n")
    policy = etc / "policy.toml"
    policy.write_text(f'[actions.tail_log]\nfiles = ["{etc}/*.log"]\n')
    policy.chmod(0o644)
    invited = pudim.call("/api/v2/enrolment-tokens", {"name": "host"})
    url = f"http://127.0.0.1:{pudim.port}"
    options = ["--url", url, "--collector-key", invited["collector_key"], "--state-dir", str(etc / "state")]
    enrol = [sys.executable, "-m", "pudim.cli", "agent", "enrol", *options, "--token", invited["token"]]
    subprocess.run(enrol, check=True, capture_output=True, timeout=60)
    config = str(etc / "state" / "agent.toml")
    agent = subprocess.Popen(
        [sys.executable, "-m", "pudim_agent", "--config", config, "--policy", str(policy)]
    )
    try:
        servers = pudim.call("/api/v2/servers")["items"]
        (server,) = [one["id"] for one in servers if one["name"] == "host"]
        where = f"/api/v2/servers/{server}"
        until(lambda: pudim.call(f"{where}/policy")["document"], lambda found: found is not None)
        command = {"action": "tail_log", "args": {"path": f"{etc}/app.log"}}
        asked = pudim.call(f"{where}/commands", command)
        done = until(
            lambda: pudim.call(f"{where}/commands/{asked['id']}"),
            lambda found: found["status"] not in {"waiting", "sent"},
        )
        assert (done["status"], done["output"]) == ("done", "one\ntwo <b>"), done
        asked = pudim.call(f"{where}/commands", command | {"args": {"path": "/etc/shadow"}})
        refused = until(
            lambda: pudim.call(f"{where}/commands/{asked['id']}"),
            lambda found: found["status"] not in {"waiting", "sent"},
        )
        assert (refused["status"], refused["code"], refused["output"]) == ("refused", "not_allowed", "")
        with pytest.raises(HTTPError) as caught:
            pudim.call(f"{where}/commands", {"action": "restart_unit", "args": {"unit": "a.service"}})
        assert json.loads(caught.value.read())["code"] == "not_allowed_by_host"
        caught.value.close()
    finally:
        agent.terminate()
        agent.wait(20)
