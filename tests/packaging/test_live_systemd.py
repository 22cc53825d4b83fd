"""The install line, the service and the commands under a systemd that runs: as on a server, but for its kernel."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.packaging.hosts import PATIENCE, Host, invitation, server
from tests.packaging.machine import Machine, can_boot
from tests.packaging.releases import Shop
from tests.running import RunningPudim

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not can_boot(), reason="needs root, systemd's program and a cgroup2 hierarchy"),
]
AGENT, DEMO, FORBIDDEN = "pudim-agent.service", "pudim-demo.service", "pudim-other.service"
POLICY = f"""
[actions.refresh]

[actions.restart_unit]
units = ["{DEMO}", "{FORBIDDEN}"]

[actions.self_update]
"""
RULE = f"""
polkit.addRule(function(action, subject) {{
  if (action.id == "org.freedesktop.systemd1.manage-units" && subject.user == "pudim-agent" &&
      action.lookup("unit") == "{DEMO}" && action.lookup("verb") == "restart") {{
    return polkit.Result.YES;
  }}
}});
"""
UNIT = "[Service]\nExecStart=/usr/bin/sleep infinity\n"
_NET_RAW = 1 << 13


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with Machine(tmp_path_factory.mktemp("machine") / "log") as running:
        yield running


@pytest.fixture
def installed(machine: Machine, host: Host, pudim: RunningPudim) -> Machine:
    """With the agent, by the install line; once for all tests."""
    if machine.show(AGENT, "LoadState") == "loaded":
        return machine
    words, token = invitation(pudim, "live")
    machine.write("/srv/install.sh", host.script.read_text())
    machine.write("/etc/pudim/policy.toml", POLICY)
    done = machine.run(
        *("sh", "/srv/install.sh", *words, "--interval-ms", "500"),
        check=False,
        PUDIM_PYTHON="/usr/bin/python3",
        PUDIM_ENROLMENT_TOKEN=token,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the agent runs and the collector takes its samples" in done.stdout + done.stderr
    return machine


def asked(pudim: RunningPudim, action: str, args: dict[str, Any]) -> dict[str, Any]:
    """The command once it is over."""
    path = f"/api/v2/servers/{server(pudim, 'live')['id']}/commands"
    made: dict[str, Any] = pudim.call(path, {"action": action, "args": args})
    deadline = time.monotonic() + PATIENCE
    while made["status"] in {"waiting", "sent"}:
        assert time.monotonic() < deadline, made
        time.sleep(0.2)
        made = pudim.call(f"{path}/{made['id']}")
    return made


def status_of(machine: Machine, pid: str) -> dict[str, str]:
    lines = machine.run("cat", f"/proc/{pid}/status").stdout.splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_service_runs_and_may_do_no_more_than_it_needs(installed: Machine) -> None:
    assert installed.show(AGENT, "ActiveState") == "active"
    assert installed.run("systemctl", "is-enabled", AGENT).stdout.strip() == "enabled"
    agent = status_of(installed, installed.show(AGENT, "MainPID"))
    account = installed.run("id", "-u", "pudim-agent").stdout.strip()
    assert agent["Uid"].split() == [account] * 4
    assert {int(agent[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {_NET_RAW}
    assert agent["NoNewPrivs"] == "1"
    assert agent["Seccomp"] == "2"
    assert "FAIL" not in installed.run("pudim", "agent", "doctor", check=False).stdout


def test_it_is_started_again_when_it_is_killed(installed: Machine) -> None:
    before = installed.show(AGENT, "MainPID")
    installed.run("systemctl", "kill", "--signal=KILL", AGENT)
    installed.until(lambda: installed.show(AGENT, "MainPID") not in {before, "0"})
    installed.until(lambda: "streams 1" in installed.run("cat", "/var/lib/pudim-agent/status").stdout)


def test_a_command_restarts_the_unit_that_host_and_polkit_allow(
    installed: Machine, pudim: RunningPudim
) -> None:
    installed.write("/etc/polkit-1/rules.d/50-pudim.rules", RULE)
    for unit in (DEMO, FORBIDDEN):
        installed.write(f"/etc/systemd/system/{unit}", UNIT)
    installed.run("systemctl", "daemon-reload")
    installed.run("systemctl", "start", "dbus.service", "polkit.service", DEMO, FORBIDDEN)
    before = {unit: installed.show(unit, "MainPID") for unit in (DEMO, FORBIDDEN)}
    done = asked(pudim, "restart_unit", {"unit": DEMO})
    assert done["status"] == "done", done
    assert installed.show(DEMO, "MainPID") != before[DEMO]
    failed = asked(pudim, "restart_unit", {"unit": FORBIDDEN})
    assert (failed["status"], failed["code"]) == ("failed", "systemctl_failed"), failed
    refused = asked(pudim, "restart_unit", {"unit": AGENT})
    assert (refused["status"], refused["code"]) == ("refused", "not_allowed"), refused
    assert installed.show(FORBIDDEN, "MainPID") == before[FORBIDDEN]


def test_a_command_replaces_the_agent(installed: Machine, pudim: RunningPudim, shop: Shop) -> None:
    shop.offer("0.2.0")
    done = asked(pudim, "self_update", {})
    assert done["status"] == "done", done
    installed.until(lambda: server(pudim, "live")["agent_version"] == "0.2.0", 2 * PATIENCE)
    installed.until(
        lambda: installed.run("test", "-e", "/opt/pudim-agent/trial.json", check=False).returncode == 1,
        2 * PATIENCE,
    )
    assert installed.run("readlink", "/opt/pudim-agent/current").stdout.startswith("0.2.0-")
    again = asked(pudim, "refresh", {})
    assert again["status"] == "done", again


def test_nothing_is_left_of_it(installed: Machine) -> None:
    done = installed.run("sh", "/srv/install.sh", "--uninstall", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed.show(AGENT, "LoadState") == "not-found"
    left = installed.run(
        *("find", "/mnt/etc/upper", "/mnt/opt/upper", "/mnt/usr/upper", "/mnt/var/upper"),
        *("-name", "*pudim*", "-type", "f"),
    ).stdout.split()
    assert [one for one in left if "demo" not in one and "other" not in one and "polkit" not in one] == []
