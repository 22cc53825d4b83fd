"""The agent alone, out of the bundle's wheels, on every Python that it supports and this machine has."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.packaging.hosts import NEWEST, OLDEST, PYTHONS, Host, Service, invitation, server
from tests.running import RunningPudim

pytestmark = pytest.mark.processes

EVERYWHERE = {
    *(
        "pudim",
        "pudim-agent",
        "aiohappyeyeballs",
        "aiohttp",
        "aiosignal",
        "attrs",
        "cffi",
        "click",
        "cryptography",
    ),
    *("frozenlist", "idna", "msgpack", "multidict", "propcache", "psutil", "pycparser", "yarl"),
}
ONLY_FOR = {
    "3.10": {"async-timeout", "tomli", "typing-extensions"},
    "3.11": {"typing-extensions"},
    "3.12": {"typing-extensions"},
    "3.13": set[str](),
}
LIST = (
    "import json, sys; from importlib.metadata import distributions; "
    "print(json.dumps([sys.version_info[:2], sorted(one.metadata['Name'].lower().replace('_', '-') for one in distributions())]))"
)


@pytest.mark.parametrize("version", [f"3.{minor}" for minor in range(OLDEST, NEWEST + 1)])
def test_it_is_installed_and_streams(host: Host, pudim: RunningPudim, version: str) -> None:
    if version not in PYTHONS:
        pytest.skip(f"no Python {version} on this machine")
    host.python = PYTHONS[version]
    words, token = invitation(pudim, f"python-{version}")
    done = host.install(*words, "--interval-ms", "500", token=token)
    assert done.returncode == 0, done.stderr
    assert installed(host) == (version, EVERYWHERE | ONLY_FOR[version])
    with Service(host) as service:
        service.until(lambda: server(pudim, f"python-{version}")["state"] == "live")
        doctor = host.pudim("agent", "doctor", "--json", "--config", str(host.root / "etc/pudim/agent.toml"))
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert {one["subject"] for one in json.loads(doctor.stdout)} >= {"identity", "collector", "websocket"}


def installed(host: Host) -> tuple[str, set[str]]:
    said = subprocess.run(
        [Path(host.opt) / "current/bin/python", "-I", "-c", LIST], capture_output=True, text=True, check=True
    )
    (major, minor), names = json.loads(said.stdout)
    return f"{major}.{minor}", set(names)
