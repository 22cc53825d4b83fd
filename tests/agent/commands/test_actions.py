"""What each action does, and that no argument makes it do anything else."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from pudim.wire.commands import MAX_OUTPUT
from pudim.wire.keys import to_text
from pudim_agent.actions import ActionFailed, Surroundings, actions, restart_unit
from pudim_agent.notices import Notices
from pudim_agent.typed import record
from tests.agent.commands.desk import Desk, outcome

UNITS = '[actions.restart_unit]\nunits = ["nginx.service", "-evil.service", "a b.service", "nginx.service; reboot"]\n'


@pytest.fixture
def logs(desk: Desk) -> Path:
    folder = desk.folder / "log"
    (folder / "web").mkdir(parents=True)
    (folder / "web" / "access.log").write_bytes(b"".join(b"line %d\n" % n for n in range(1, 501)))
    desk.write_policy(f'[actions.tail_log]\nfiles = ["{folder}/web/*.log", "{folder}/syslog"]\n')
    return folder


async def tail(desk: Desk, path: object, **more: Any) -> Any:
    return await desk.ask("tail_log", {"path": str(path), **more})


# tail_log


async def test_the_last_lines(desk: Desk, logs: Path) -> None:
    report = await tail(desk, logs / "web" / "access.log", lines=3)
    assert outcome(report) == ("done", "")
    assert report.output.splitlines() == ["line 498", "line 499", "line 500"]
    assert not report.truncated


async def test_not_more_than_the_policys_bytes(desk: Desk, logs: Path) -> None:
    (logs / "syslog").write_bytes(b"x" * 200_000 + b"\nend\n")
    assert (await tail(desk, logs / "syslog")).output == "end"
    (logs / "syslog").write_bytes(b"y" * 1_000_000)
    assert (await tail(desk, logs / "syslog")).output == ""
    (logs / "syslog").write_bytes(b"z" * 100 + b"\n")
    assert (await tail(desk, logs / "syslog")).output == "z" * 100


async def test_what_stands_in_a_log_is_made_harmless(desk: Desk, logs: Path) -> None:
    (logs / "syslog").write_bytes(b"\x1b[31mred\x00\xff\xe2\x80\xae<img onerror=x>\r\n\ttab\n")
    output = (await tail(desk, logs / "syslog")).output
    assert output == "\ufffd[31mred\ufffd\ufffd\ufffd<img onerror=x>\n    tab"


async def test_secrets_in_a_log_stay_on_the_host(desk: Desk, logs: Path) -> None:
    (logs / "syslog").write_text(
        "GET /?token=hunter2hunter2 200\nlogin password=swordfish ok\n  two  spaces\n"
    )
    output = (await tail(desk, logs / "syslog")).output
    assert "hunter2" not in output
    assert "swordfish" not in output
    assert output.endswith("\n  two  spaces")


async def test_an_empty_log(desk: Desk, logs: Path) -> None:
    (logs / "syslog").write_bytes(b"")
    assert outcome(await tail(desk, logs / "syslog")) == ("done", "")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "{logs}/web/../../etc/policy.toml",
        "{logs}/web/./access.log",
        "{logs}//web/access.log",
        "/{logs}/web/access.log",
        "{logs}/web/access.log/",
        "{logs}/web/.hidden.log",
        "{logs}/web/deep/access.log",
        "{logs}/web/*.log",
        "{logs}/web",
        "{logs}/web/",
        "log/web/access.log",
        "-n",
        "--help",
        "{logs}/syslog.1",
        "{logs}/SYSLOG",
        "~/.ssh/id_ed25519",
    ],
)
async def test_paths_that_the_policy_does_not_name(desk: Desk, logs: Path, path: str) -> None:
    (logs / "web" / ".hidden.log").write_text("secret")
    (logs / "web" / "deep").mkdir()
    (logs / "web" / "deep" / "access.log").write_text("secret")
    report = await tail(desk, path.format(logs=logs))
    assert report.output == ""
    if path.endswith("*.log"):  # a name like any other, which no file has
        assert outcome(report) == ("failed", "no_such_file")
    else:
        assert outcome(report) == ("refused", "not_allowed")


@pytest.mark.parametrize("odd", ["\n", "\x1b", "\u202e", "\x7f"])
async def test_a_path_with_what_cannot_be_seen(desk: Desk, logs: Path, odd: str) -> None:
    report = await tail(desk, f"{logs}/web/{odd}access.log")
    assert outcome(report) == ("refused", "bad_args")


@pytest.mark.parametrize(
    "args",
    [
        {},
        {"path": 1},
        {"path": ""},
        {"path": b"/var/log/syslog"},
        {"path": "/x", "lines": "1"},
        {"path": "/x", "lines": 0},
        {"path": "/x", "lines": True},
        {"path": "/x", "lines": 5_001},
        {"path": "/x" * 3000},
        {"path": "/x", "follow": True},
    ],
)
async def test_args_of_another_shape(desk: Desk, logs: Path, args: dict[str, Any]) -> None:
    assert outcome(await desk.ask("tail_log", args)) == ("refused", "bad_args")


async def test_more_lines_than_the_policy_allows(desk: Desk, logs: Path) -> None:
    assert outcome(await tail(desk, logs / "syslog", lines=1001)) == ("refused", "not_allowed")


async def test_a_symbolic_link_in_place_of_the_log(desk: Desk, logs: Path) -> None:
    secret = desk.folder / "secret"
    secret.write_text("secret\n")
    (logs / "syslog").symlink_to(secret)
    report = await tail(desk, logs / "syslog")
    assert outcome(report) == ("failed", "not_a_plain_file")
    assert "secret\n" not in report.output


async def test_a_symbolic_link_on_the_way(desk: Desk, logs: Path) -> None:
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "access.log").write_text("secret\n")
    (logs / "web").rename(logs / "old")
    (logs / "web").symlink_to(elsewhere)
    report = await tail(desk, logs / "web" / "access.log")
    assert (outcome(report), report.output) == (("failed", "not_a_plain_file"), "")


async def test_a_second_name_of_somebody_elses_file(desk: Desk, logs: Path) -> None:
    secret = desk.folder / "secret"
    secret.write_text("secret\n")
    os.link(secret, logs / "syslog")
    report = await tail(desk, logs / "syslog")
    assert (outcome(report), report.output) == (("failed", "several_names"), "")


async def test_what_is_no_regular_file(desk: Desk, logs: Path) -> None:
    """A pipe would block for ever; a device may be anything."""
    os.mkfifo(logs / "syslog")
    assert outcome(await tail(desk, logs / "syslog")) == ("failed", "not_a_plain_file")
    (logs / "syslog").unlink()
    (logs / "syslog").mkdir()
    assert outcome(await tail(desk, logs / "syslog")) == ("failed", "not_a_plain_file")
    assert outcome(await tail(desk, logs / "web" / "gone.log")) == ("failed", "no_such_file")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a device")
async def test_a_device(desk: Desk, logs: Path) -> None:
    os.mknod(logs / "syslog", 0o20666, os.makedev(1, 5))
    assert outcome(await tail(desk, logs / "syslog")) == ("failed", "not_a_plain_file")


async def test_only_stars_stand_for_something(desk: Desk, logs: Path) -> None:
    (logs / "a[b]?.log").write_text("odd\n")
    (logs / "ab1.log").write_text("other\n")
    desk.write_policy(f'[actions.tail_log]\nfiles = ["{logs}/a[b]?.log"]\n')
    assert (await tail(desk, logs / "a[b]?.log")).output == "odd"
    assert outcome(await tail(desk, logs / "ab1.log")) == ("refused", "not_allowed")
    desk.write_policy(f'[actions.tail_log]\nfiles = ["{logs}/a[b]*"]\n')
    assert (await tail(desk, logs / "a[b]?.log")).output == "odd"
    assert outcome(await tail(desk, logs / "ab1.log")) == ("refused", "not_allowed")


# restart_unit


def program(desk: Desk, body: str) -> None:
    """What stands in systemctl's place; the real one needs a running systemd."""
    desk.systemctl.write_text(f"#!{sys.executable} -I\nimport os, sys, time\n{body}\n")
    desk.systemctl.chmod(0o755)
    desk.write_policy(UNITS)


async def test_a_unit_is_restarted_by_argv(desk: Desk) -> None:
    program(desk, "print(sys.argv[1:], sorted(os.environ), os.getcwd(), sys.stdin.read() == '')")
    report = await desk.ask("restart_unit", {"unit": "nginx.service"})
    assert outcome(report) == ("done", "")
    assert report.output == (
        "['--no-ask-password', 'restart', '--', 'nginx.service'] ['LC_ALL', 'PATH'] / True"
    )


@pytest.mark.parametrize(
    "unit",
    [
        "apache.service",
        "nginx",
        "nginx.service ",
        "NGINX.service",
        "nginx*",
        "*.service",
        "--unit",
        "-evil.service",
        "--now",
        "nginx.service; reboot",
        "a b.service",
        "$(reboot).service",
        "`reboot`.service",
        "../nginx.service",
        "/etc/systemd/system/nginx.service",
    ],
)
async def test_units_that_are_not_named_or_are_none(desk: Desk, unit: str) -> None:
    """Also where a careless policy names them."""
    program(desk, f"open({str(desk.folder / 'ran')!r}, 'w')")
    assert outcome(await desk.ask("restart_unit", {"unit": unit})) == ("refused", "not_allowed")
    assert not (desk.folder / "ran").exists()


@pytest.mark.parametrize(
    "unit", ["nginx.service\n", "nginx.service\0", "", 1, None, ["nginx.service"], "x" * 256]
)
async def test_units_that_are_no_texts(desk: Desk, unit: Any) -> None:
    program(desk, f"open({str(desk.folder / 'ran')!r}, 'w')")
    report = await desk.ask("restart_unit", {"unit": unit})
    assert report.outcome == "refused"
    assert report.code in {"bad_args", "malformed"}
    assert not (desk.folder / "ran").exists()


async def test_what_systemctl_says_when_it_fails(desk: Desk) -> None:
    program(desk, "print('Access denied\\x1b[0m', file=sys.stderr); sys.exit(4)")
    report = await desk.ask("restart_unit", {"unit": "nginx.service"})
    assert outcome(report) == ("failed", "systemctl_failed")
    assert (report.output, report.detail) == ("Access denied\ufffd[0m", "systemctl ended with status 4")


async def test_a_host_without_systemd(desk: Desk) -> None:
    desk.write_policy(UNITS)
    report = await desk.ask("restart_unit", {"unit": "nginx.service"})
    assert outcome(report) == ("failed", "no_systemctl")


@pytest.mark.skipif(not Path("/usr/bin/systemctl").exists(), reason="this machine has no systemctl")
async def test_the_real_systemctl_answers() -> None:
    """Whether or not systemd runs here: there is no such unit, so nothing is restarted."""
    around = Surroundings(Notices())
    action = actions["restart_unit"](around)
    with pytest.raises(ActionFailed) as caught:
        await action.run(restart_unit.RestartUnit.Args("pudim-test-of-nothing.service"), None)
    assert caught.value.code == "systemctl_failed"
    assert caught.value.output


async def test_output_without_end_is_cut(desk: Desk) -> None:
    program(desk, "sys.stdout.write('x' * 10_000_000)")
    report = await desk.ask("restart_unit", {"unit": "nginx.service"})
    assert report.outcome == "done"
    assert len(report.output) <= 1 << 14


async def test_what_does_not_end_is_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart_unit, "_PATIENCE", 0.5)
    mark = desk.folder / "pids"
    child = f"import time; time.sleep(600) #{mark.name}"
    program(
        desk,
        f"import subprocess\nchild = subprocess.Popen([sys.executable, '-I', '-c', {child!r}])\n"
        f"open({str(mark)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(600)",
    )
    report = await desk.ask("restart_unit", {"unit": "nginx.service"})
    assert outcome(report) == ("failed", "too_slow")
    for pid in map(int, mark.read_text().split()):
        async with asyncio.timeout(10):
            while alive(pid):
                await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# refresh and self_update


async def test_refresh_tells_everything_again(desk: Desk) -> None:
    desk.notices.tell("units", 1, {"units": []})
    desk.notices.tell("facts", 1, {"host.name": "x"})
    told = max(number for number, _ in desk.notices.since(0))
    report = await desk.ask()
    assert report.output == "2 subjects told again"
    again = {notice.kind for notice in desk.told()}
    assert again == {"units", "facts", "policy"}
    assert all(number > told for number, _ in desk.notices.since(0))
    before = max(number for number, _ in desk.notices.since(0))
    desk.notices.tell("units", 2, {"units": []})
    assert max(number for number, _ in desk.notices.since(0)) == before + 1, "and as it is told next"


async def test_self_update_hands_over_what_was_signed(desk: Desk) -> None:
    handed: list[tuple[str, bytes, bytes]] = []

    async def update(version: str, manifest: bytes, signature: bytes) -> str:
        handed.append((version, manifest, signature))
        return f"{version} is next"

    desk.write_policy("[actions.self_update]\n")
    args = {"version": "1.2.3", "manifest": "bytes", "signature": to_text(bytes(64))}
    assert outcome(await desk.ask("self_update", args)) == ("failed", "not_available")
    desk.commands._around = Surroundings(desk.notices, update=update)
    report = await desk.ask("self_update", args)
    assert (outcome(report), report.output) == (("done", ""), "1.2.3 is next")
    assert handed == [("1.2.3", b"bytes", bytes(64))]
    report = await desk.ask("self_update", args | {"signature": "short"})
    assert outcome(report) == ("failed", "bad_signature")
    assert len(handed) == 1


# What holds for all


async def test_an_action_that_breaks_is_answered_for(desk: Desk) -> None:
    desk._hurry = lambda: shlex.split("'")  # type: ignore[method-assign,return-value,assignment]
    desk.start()
    report = await desk.ask()
    assert outcome(report) == ("failed", "failed")
    assert "ValueError" in report.detail
    desk.start()
    assert (await desk.ask()).sequence == 2


async def test_long_output_keeps_its_end(desk: Desk) -> None:
    async def update(_version: str, _manifest: bytes, _signature: bytes) -> str:
        return "\u00fc" * MAX_OUTPUT + "end"

    desk.write_policy("[actions.self_update]\n")
    desk.commands._around = Surroundings(desk.notices, update=update)
    args = {"version": "1", "manifest": "x", "signature": to_text(bytes(64))}
    report = await desk.ask("self_update", args)
    assert report.truncated
    assert report.output.endswith("\u00fcend")
    assert len(report.output.encode()) <= MAX_OUTPUT


def test_every_action_keeps_to_the_port() -> None:
    for name, kind in actions.items():
        assert 0 < kind.seconds <= 300, name
        made = kind(Surroundings(Notices()))
        assert callable(made.permit)
        assert callable(made.run)
        for table in (kind.Args, kind.Allowed):
            faults: list[tuple[str, str]] = []
            assert record(table, {"no such field": 1}, faults) is None
            assert ("no such field", "unknown") in faults
