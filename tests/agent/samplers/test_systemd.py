"""Units of a real systemd, started by the test, and of hosts without one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from pudim.vocabulary.metrics import METRICS
from pudim.wire.codec import unpack
from pudim_agent.samplers import Host
from pudim_agent.samplers import systemd as module
from pudim_agent.samplers.systemd import Found, Unit
from tests.agent.hosts import look, make
from tests.agent.units import can_run, systemd

needs_systemd = pytest.mark.skipif(not can_run(), reason="needs root, namespaces, systemd and dbus-daemon")
UNITS = {
    "default.target": "[Unit]\nWants=sleeper.service broken.service flapping.service at.timer hello.socket\n",
    "sleeper.service": "[Unit]\nDescription=Sleeps \u202e<b>\n[Service]\nExecStart=/bin/sleep 1000\n",
    "broken.service": "[Service]\nExecStart=/bin/false\n",
    "flapping.service": (
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=50ms\n"
    ),
    "dbus.socket": "[Socket]\nListenStream=%t/bus\n",
    "dbus.service": (
        "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nNotifyAccess=main\n"
        "ExecStart=/usr/bin/dbus-daemon --session --nofork --nopidfile --address=systemd:\n"
    ),
    "at.timer": "[Timer]\nOnCalendar=2099-01-01\nUnit=sleeper.service\n",
    "hello.socket": "[Socket]\nListenStream=%t/hello\nService=sleeper.service\n",
    "basic.target": "[Unit]\nDescription=Basic\n",
    "shutdown.target": "[Unit]\nDescription=Shutdown\n",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with systemd(tmp_path_factory.mktemp("systemd"), UNITS) as found:
        yield found


def told(on: Host) -> dict[str, Any]:
    *_, (_, message) = on.notices.since(0)
    return next(part for part in unpack(message) if isinstance(part, dict))


async def until(sampler: Any, there: Callable[[Found], bool]) -> Found:
    """Ask again and again: units start beside each other."""
    async with asyncio.timeout(30):
        while not ((found := await sampler._ask()) and there(found)):
            await asyncio.sleep(0.05)
    return found  # type: ignore[no-any-return]


@needs_systemd
async def test_units_of_a_real_systemd(run: Path) -> None:
    on = Host(run=str(run))
    sampler = make("systemd", on, units=("sleeper.*",))
    await until(
        sampler,
        lambda found: (
            found.units["broken.service"].active == "failed"
            and found.units["sleeper.service"].active == "active"
        ),
    )
    await sampler.slow.refresh()
    found = look(sampler, 10)
    assert found["systemd.degraded{}"] == 1
    assert found["systemd.unit.count{failed,service}"] == 1
    assert found["systemd.unit.count{active,timer}"] == 1
    assert found["systemd.unit.count{active,socket}"] == 1
    assert found["systemd.unit.count{active,mount}"] >= 1
    assert found["systemd.unit.active{broken.service}"] == 0
    assert found["systemd.unit.active{sleeper.service}"] == 1
    assert found["systemd.unit.restart.count{sleeper.service}"] == 0
    document = told(on)
    assert document["manager"] in ("degraded", "starting")
    first = document["units"][0]
    assert (first["name"], first["active"], first["load"]) == ("broken.service", "failed", "loaded")
    by_name = {unit["name"]: unit for unit in document["units"]}
    sleeper = by_name["sleeper.service"]
    assert sleeper["description"] == "Sleeps \ufffd<b>"
    assert sleeper["sub"] == "running"
    assert sleeper["since"] > 1_600_000_000_000
    assert by_name["at.timer"]["restarts"] is None
    assert not any(name.endswith((".target", ".slice", ".device")) for name in by_name)


@needs_systemd
async def test_restarts_are_counted(run: Path) -> None:
    sampler = make("systemd", Host(run=str(run)))
    await until(sampler, lambda found: (found.units["flapping.service"].restarts or 0) >= 2)


@needs_systemd
async def test_a_unit_that_failed_and_works_again_keeps_its_series(run: Path) -> None:
    sampler = make("systemd", Host(run=str(run)))
    sampler._units = {}
    await until(sampler, lambda found: found.units["broken.service"].active == "failed")
    path = run.parent / "units/broken.service"
    path.write_text("[Service]\nExecStart=/bin/sleep 1000\n")
    await systemctl(run, "daemon-reload")
    await systemctl(run, "restart", "broken.service")
    await until(sampler, lambda found: found.units["broken.service"].active == "active")
    await sampler.slow.refresh()
    assert look(sampler, 10)["systemd.unit.active{broken.service}"] == 1
    path.write_text(UNITS["broken.service"])
    await systemctl(run, "daemon-reload")
    await systemctl(run, "restart", "broken.service")


@needs_systemd
async def test_over_the_bus_as_on_a_host(run: Path, tmp_path: Path) -> None:
    """With Hello and names, as everybody may ask; the tests above ask systemd itself, as root may without a bus."""
    await systemctl(run, "start", "dbus.socket")
    await systemctl(run, "start", "dbus.service")
    (tmp_path / "dbus").mkdir()
    (tmp_path / "dbus/system_bus_socket").symlink_to(run / "bus")
    sampler = make("systemd", Host(run=str(tmp_path)))
    async with asyncio.timeout(30):
        found = None
        while found is None:  # the bus is there a little later, and systemd on it later still
            with suppress(OSError, ValueError):
                found = await sampler._ask()
            await asyncio.sleep(0.05)
    assert found.units["sleeper.service"].active == "active"
    assert found.units["sleeper.service"].since


async def systemctl(run: Path, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        "systemctl", "--user", *words, env={"XDG_RUNTIME_DIR": str(run), "PATH": "/usr/bin:/bin"}
    )
    assert await process.wait() == 0


# Without a real one


@pytest.fixture
def booted(tmp_path: Path) -> Path:
    (tmp_path / "systemd/system").mkdir(parents=True)
    return tmp_path


async def test_without_systemd_there_is_nothing_to_do(tmp_path: Path) -> None:
    sampler = make("systemd", Host(run=str(tmp_path)))
    await sampler.run()  # returns
    assert look(sampler, 0) == {}


async def test_what_listens_there_and_is_no_systemd(booted: Path, caplog: pytest.LogCaptureFixture) -> None:
    (booted / "systemd/private").write_text("a file")
    on = Host(run=str(booted))
    sampler = make("systemd", on)
    await sampler.slow.refresh()
    await sampler.slow.refresh()
    assert look(sampler, 0) == {}
    assert caplog.text.count("systemd: ConnectionRefusedError") == 1
    assert list(on.notices.since(0)) == []


def answering(sampler: Any, *answers: Found | None) -> None:
    """The next answers."""
    left = list(answers)

    async def ask() -> Found | None:
        found = left.pop(0)
        sampler._follow(found.units.values() if found else ())
        return found

    sampler.slow._ask = ask


def unit(name: str, active: str = "active", **more: Any) -> Unit:
    return Unit(name, "Text", "loaded", active, "sub", "/x", **more)


def found(*units: Unit) -> Found:
    return Found("running", {one.name: one for one in units})


async def test_an_old_answer_says_nothing_about_now(booted: Path) -> None:
    sampler = make("systemd", Host(run=str(booted)), seconds=10.0)
    answering(sampler, found(unit("a.service")))
    await sampler.slow.refresh()
    assert look(sampler, 0)["systemd.unit.count{active,service}"] == 1
    assert look(sampler, 30)
    assert look(sampler, 31) == {}


async def test_states_that_are_not_known_are_counted_as_other(booted: Path) -> None:
    sampler = make("systemd", Host(run=str(booted)))
    answering(sampler, found(unit("a.service", "refreshing"), unit("b.service", "x" * 300)))
    await sampler.slow.refresh()
    assert look(sampler, 0)["systemd.unit.count{other,service}"] == 2


async def test_a_unit_that_is_not_loaded_any_more_is_not_active(booted: Path) -> None:
    sampler = make("systemd", Host(run=str(booted)))
    answering(sampler, found(unit("a.service", "failed", restarts=4)), found())
    await sampler.slow.refresh()
    assert look(sampler, 0)["systemd.unit.restart.count{a.service}"] == 4
    await sampler.slow.refresh()
    values = look(sampler, 10)
    assert values["systemd.unit.active{a.service}"] == 0
    assert isnan(values["systemd.unit.restart.count{a.service}"])


async def test_units_with_series_are_bounded(booted: Path) -> None:
    sampler = make("systemd", Host(run=str(booted)))
    answering(sampler, found(*(unit(f"a{n}.service", "failed") for n in range(500))))
    await sampler.slow.refresh()
    values = look(sampler, 0)
    assert sum(name.startswith("systemd.unit.active") for name in values) == 64
    assert values["systemd.unit.count{failed,service}"] == 500


async def test_a_notice_is_bounded_and_names_the_failed_first(booted: Path) -> None:
    on = Host(run=str(booted))
    sampler = make("systemd", on)
    units = [unit(f"{n:04}.service", "active") for n in range(2000)]
    units[1999] = unit("1999.service", "failed")
    units[1998] = unit("1998.service", "activating")
    answering(sampler, found(*units))
    await sampler.slow.refresh()
    look(sampler, 0)
    names = [one["name"] for one in told(on)["units"]]
    assert names[:3] == ["1999.service", "1998.service", "0000.service"]
    assert len(names) == 500


async def test_long_texts_fit_in_a_notice(booted: Path) -> None:
    on = Host(run=str(booted))
    sampler = make("systemd", on)
    long = "\u20ac" * 256
    answering(sampler, found(*(Unit(f"{n}{long[:250]}", long, long, long, long, "/x") for n in range(600))))
    await sampler.slow.refresh()
    look(sampler, 0)
    assert 20 < len(told(on)["units"]) < 500


def test_who_is_looked_at_first() -> None:
    sampler = make("systemd", Host())
    units = [
        unit("old.service", round=1), unit("older.service", "failed", round=2), unit("new.service"),
        unit("newer.service", round=3), Unit("none.service", "", "not-found", "inactive", "dead", "/x"),
    ]  # fmt: skip
    assert [one.name for one in sampler._to_look_at(units)] == [
        "new.service", "older.service", "old.service", "newer.service",
    ]  # fmt: skip


def test_what_is_known_of_a_unit_lasts_as_long_as_its_state() -> None:
    sampler = make("systemd", Host())
    sampler._units = {"a.service": unit("a.service", since=5, restarts=2, round=9)}
    row = ("a.service", "Text", "loaded", "active", "sub", "", "/x", 0, "", "/")
    (same,) = sampler._listed(([row],))
    assert (same.since, same.restarts, same.round) == (5, 2, 9)
    (other,) = sampler._listed(([(*row[:3], "failed", *row[4:])],))
    assert (other.since, other.restarts, other.round) == (None, None, 0)


@pytest.mark.parametrize("listed", [(), (1,), ([1],), ([("a",)],), ([(1,) * 10],), ([], [])])
def test_a_list_in_another_shape_is_refused(listed: Any) -> None:
    with pytest.raises(ValueError, match="not known"):
        module._rows(listed)


def test_the_properties_of_a_unit_may_be_anything() -> None:
    assert module._count(("text",)) is None
    assert module._count(()) is None
    assert module._milliseconds(0) is None
    assert module._text_of((5,)) == ""


async def test_every_metric_of_units_is_in_the_table_and_comes_from_here(booted: Path) -> None:
    sampler = make("systemd", Host(run=str(booted)))
    answering(sampler, found(unit("a.service", "failed")))
    await sampler.slow.refresh()
    emitted = {name.partition("{")[0] for name in look(sampler, 0)}
    assert emitted == {name for name in METRICS if name.startswith("systemd.")}


def test_the_programs_are_where_the_tests_look() -> None:
    assert not can_run() or shutil.which("systemctl")
