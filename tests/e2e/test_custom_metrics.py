"""What a script and an application on a host measure is answered by the collector's API, through a real agent and a real store."""

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.crash_site import FastAgent, wait_for
from tests.running import RunningPudim, free_port

pytestmark = pytest.mark.processes


def latest(pudim: RunningPudim, agent: FastAgent) -> dict[str, Any]:
    """The newest value and the labels of each series that came through the agent, by metric and first label's value."""
    found = pudim.call(f"/api/v2/servers/{agent.server_id}/latest")
    return {
        f"{one['metric']} {one['labels'].get('disk', one['labels'].get('region', ''))}".strip(): one
        for one in found
        if "pudim.custom" in one["labels"]
    }


def told(pudim: RunningPudim, agent: FastAgent) -> set[str]:
    """The files and sockets that the agent named."""
    document = pudim.call(f"/api/v2/servers/{agent.server_id}/custom")["document"]
    return {one["name"] for one in document["sources"]} if document else set()


def test_a_file_and_statsd_that_grow(pudim: RunningPudim, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "jobs.prom").write_text('backup_size_bytes{disk="a"} 5\n')
    agent = FastAgent(pudim, tmp_path / "shop").enrol()
    port = free_port()
    with (agent.state_dir / "agent.toml").open("a", encoding="utf-8") as config:
        config.write(f'\n[samplers.textfile]\ndirectory = "{files}"\n')
        config.write(f"[samplers.statsd]\nenabled = true\nport = {port}\n")
    agent.start()
    try:
        wait_for(lambda: "backup_size_bytes a" in latest(pudim, agent))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            for region in (
                "eu",
                "us",
                "asia",
            ):  # one by one: each makes a layout of its own, and then a larger one
                sending.sendto(f"shop.queue:7|g|#region:{region}".encode(), ("127.0.0.1", port))
                wait_for(lambda wanted=f"shop.queue {region}": wanted in latest(pudim, agent))
        (files / "more.prom").write_text("system_load 1\n")
        wait_for(lambda: "system_load" in latest(pudim, agent))
        found = latest(pudim, agent)
        answer = pudim.call(f"/api/v2/series?metric=shop.queue&server={agent.server_id}&from=-5m&step=1")
        wait_for(lambda: {"jobs.prom", "more.prom", "statsd"} <= told(pudim, agent))
    finally:
        agent.stop()
    assert found["backup_size_bytes a"]["value"] == 5.0
    assert found["backup_size_bytes a"]["unit"] == "By"
    assert found["backup_size_bytes a"]["labels"] == {
        "disk": "a", "pudim.custom": "textfile", "pudim.custom.name": "jobs.prom",
    }  # fmt: skip
    assert {one["labels"]["region"] for one in answer["series"]} == {"eu", "us", "asia"}
    assert {value for one in answer["series"] for value in one["avg"] if value is not None} == {7.0}
