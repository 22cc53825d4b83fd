"""The simulated servers: the same from the same seed, shaped as real ones are, with something to see in their past."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from pudim.vocabulary.metrics import METRICS, Kind
from pudim.wire.layouts import Series
from pudim_agent.assembly import Assembly
from pudim_agent.samplers import Host, Tick, samplers
from pudim_collector.app.demo.machines import DB, WEB, Machine, fleet
from pudim_collector.app.demo.signals import DAY, TICK, Column, Noise, daily, nightly, ticks_of, weekly
from pudim_collector.app.demo.simulation import Simulation, Stream
from pudim_collector.app.demo.story import HOUR, story_of
from tests.agent.hosts import FAKE_SPACE, TREES

END = int(datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp() * 1000)
START = END - 30 * DAY


def simulation(
    seed: int = 7, machine: Machine | None = None, start: int = START, end: int = END
) -> Simulation:
    machine = machine or fleet(1)[0]
    return Simulation(machine, story_of(seed, machine.number, start, end), seed, start, end)


def days(one: Simulation) -> list[list[Stream]]:
    return [one.day(day) for day in range(one.start // DAY, (one.end - 1) // DAY + 1)]


def host_column(one: Simulation, metric: str, **labels: str) -> tuple[Column, Column]:
    """Times and values of one series of the host over the whole history."""
    wanted = {key.replace("_", "."): value for key, value in labels.items()}
    streams = [day[0] for day in days(one)]
    series = streams[0].source.layout.series
    (place,) = [n for n, it in enumerate(series) if it.metric == metric and dict(it.labels) == wanted]
    return (
        np.concatenate([stream.times for stream in streams]),
        np.concatenate([stream.values[:, place] for stream in streams]),
    )


def test_the_same_seed_gives_the_same_values() -> None:
    day = END // DAY - 2
    for once, again in zip(simulation().day(day), simulation().day(day), strict=True):
        assert once.source == again.source
        assert np.array_equal(once.times, again.times)
        assert np.array_equal(once.values, again.values, equal_nan=True)
    other = simulation(seed=8).day(day)[0]
    assert not np.array_equal(simulation().day(day)[0].values[:8000], other.values[:8000])


def test_servers_differ() -> None:
    day = END // DAY - 1
    one, two = (simulation(machine=Machine(f"demo-web-{n}", n, WEB)).day(day)[0] for n in (0, 1))
    assert one.source == two.source
    assert not np.array_equal(one.values, two.values, equal_nan=True)


def test_every_day_has_one_layout() -> None:
    """Else each day would be a source of its own."""
    every = days(simulation(machine=fleet(2)[1]))
    assert {tuple(stream.source for stream in day) for day in every} == {
        tuple(stream.source for stream in every[0])
    }
    names = [stream.source.name for stream in every[0]]
    assert names == ["host"] + ["process"] * len(DB.processes)


def test_times_are_on_the_grid_in_order_and_within_the_history() -> None:
    start = START + 5 * HOUR + 3 * TICK
    for streams in days(simulation(start=start)):
        for stream in streams:
            assert np.all(stream.times % TICK == 0)
            assert np.all(np.diff(stream.times) > 0)
            assert stream.values.shape == (len(stream.times), len(stream.source.layout.series))
            assert np.all((stream.times >= start) & (stream.times < END))


def test_the_host_is_off_for_hours_and_boots_again() -> None:
    one = simulation()
    times, up = host_column(one, "system.uptime")
    breaks = np.flatnonzero(np.diff(times) > TICK)
    lengths = (times[breaks + 1] - times[breaks]) / HOUR
    assert sorted(round(length, 1) for length in lengths) == sorted(
        round((stretch.end - stretch.start + TICK) / HOUR, 1) for stretch in one.story.downs
    )
    assert np.count_nonzero(lengths > 17) >= 1
    assert END - times[breaks[lengths > 17]].max() < 7 * DAY, "the newest week has an outage to see"
    assert np.all(up[breaks + 1] == 0)
    assert np.all(up[breaks] > 86_400)
    steady = np.delete(np.diff(up), breaks)
    assert np.all(steady == TICK / 1000)


def test_rates_are_unknown_in_the_first_frame_of_a_boot_only() -> None:
    one = simulation()
    for day in days(one):
        for stream in day:
            unknown = np.isnan(stream.values)
            first = np.isin(stream.times, [one.start, *(stretch.end for stretch in one.story.downs)])
            for series, column in zip(stream.source.layout.series, unknown.T, strict=True):
                if METRICS[series.metric].kind is Kind.RATE:
                    assert np.all(column[first])
                elif first.any():
                    assert not column[first].any()
                if series.metric != "system.disk.await":  # without operations there is no time of one
                    assert not column[~first].any()


@pytest.mark.parametrize("machine", fleet(5), ids=lambda machine: machine.name)
def test_values_keep_to_what_can_be(machine: Machine) -> None:
    with np.errstate(invalid="raise", divide="raise", over="raise"):
        every = days(simulation(machine=machine, start=END - 5 * DAY))
    for stream in (stream for day in every for stream in day):
        for series, column in zip(stream.source.layout.series, stream.values.T, strict=True):
            known = column[~np.isnan(column)]
            assert np.all(np.isfinite(known))
            assert np.all(known >= 0), series
            if series.unit == "1":
                assert np.all(known <= 1), series
            if series.unit == "By":
                assert np.all(known == np.floor(known)), series


@pytest.mark.parametrize("machine", fleet(5), ids=lambda machine: machine.name)
def test_parts_make_their_wholes(machine: Machine) -> None:
    stream = simulation(machine=machine).day(END // DAY - 1)[0]
    by_metric: dict[str, list[Column]] = {}
    for series, column in zip(stream.source.layout.series, stream.values.T, strict=True):
        key = series.metric + ("{}" if not series.labels else "")
        by_metric.setdefault(key, []).append(column)
    assert np.allclose(sum(by_metric["system.cpu.utilization"]), 1.0)
    assert np.array_equal(sum(by_metric["system.memory.usage"]), by_metric["system.memory.limit{}"][0])
    assert all(
        np.all(used + free < limit)
        for used, free, limit in zip(
            by_metric["system.filesystem.usage"][::2],
            by_metric["system.filesystem.usage"][1::2],
            by_metric["system.filesystem.limit"],
            strict=True,
        )
    )


def test_days_and_weeks_have_their_rhythm() -> None:
    times, busy = host_column(simulation(), "system.cpu.utilization")
    hour, weekday = times % DAY / HOUR, (times // DAY + 4) % 7
    working = (weekday > 0) & (weekday < 6)
    noon, night = (hour > 12) & (hour < 16), hour < 4
    assert np.nanmean(busy[working & noon]) > 3 * np.nanmean(busy[working & night])
    assert np.nanmean(busy[working & noon]) > 1.3 * np.nanmean(busy[~working & noon])
    _, used = host_column(simulation(), "system.memory.utilization")
    assert np.nanmean(used[working & noon]) > np.nanmean(used[working & night])


def test_a_spike_stands_out_of_its_day() -> None:
    one = simulation()
    (spike,) = [spike for spike in one.story.spikes if END - 7 * DAY < spike.start < END]
    times, busy = host_column(one, "system.cpu.utilization")
    of_day = times // DAY == spike.start // DAY
    within = (times >= spike.start + 5 * 60_000) & (times < spike.start + 30 * 60_000)
    assert np.nanmean(busy[within]) > np.nanpercentile(busy[of_day], 95)


def test_a_disk_fills_slowly_and_is_cleaned_up() -> None:
    _, used = host_column(
        simulation(),
        "system.filesystem.utilization",
        system_filesystem_mountpoint="/",
        system_device="/dev/vda1",
        system_filesystem_type="ext4",
    )
    hourly = used[:: HOUR // TICK]
    falls = np.flatnonzero(np.diff(hourly) < -0.02)
    assert len(falls) in {1, 2}
    assert hourly[falls[-1]] > 0.8
    assert hourly[falls[-1] + 2] < 0.45
    assert hourly[falls[-1] + 2] < used[-1] < hourly[falls[-1]]


def test_the_story_is_one_however_long_the_history() -> None:
    """The newest weeks of 90 days look as those of 30 do."""
    short, long = story_of(7, 0, START, END), story_of(7, 0, END - 90 * DAY, END)
    assert set(short.downs) < set(long.downs)
    assert len(long.downs) >= 6
    newest = END - 10 * DAY + np.arange(0, 10 * DAY, HOUR)
    assert np.array_equal(short.filling(newest), long.filling(newest))


def test_noise_goes_on_over_midnight() -> None:
    ends = [(Noise(7, 0, day).smooth()[-1], Noise(7, 0, day + 1).smooth()[0]) for day in range(50)]
    assert max(abs(before - after) for before, after in ends) < 0.2
    rough = np.concatenate([Noise(7, 0, day).rough() for day in range(5)])
    assert abs(rough.mean()) < 0.05
    assert 0.95 < rough.std() < 1.05


def test_a_day_has_one_peak_and_a_week_one_end() -> None:
    monday = ticks_of(int(datetime(2026, 5, 4, tzinfo=UTC).timestamp()) // 86_400)
    assert int(np.argmax(daily(monday, 14.0))) == 14 * HOUR // TICK
    assert set(weekly(monday, 0.5)) == {1.0}
    assert set(weekly(monday - DAY, 0.5)) == {0.5}
    assert nightly(monday)[3 * HOUR // TICK] == 1
    assert nightly(monday)[12 * HOUR // TICK] == 0


def test_fleets_name_each_server_once() -> None:
    names = [machine.name for machine in fleet(17)]
    assert names[:5] == ["demo-web-1", "demo-db-1", "demo-web-2", "demo-worker-1", "demo-cache-1"]
    assert len(set(names)) == 17
    assert fleet(5) == fleet(17)[:5]


def sampled(machine: Machine, root: Path) -> set[Series]:
    """The series that the real agent has on a host of the same make."""
    proc = root / "proc"
    for folder in ("net", "self", "pressure", "1"):
        (proc / folder).mkdir(parents=True)
    (root / "sys" / "block" / "vda").mkdir(parents=True)
    (root / "sys" / "block" / "vdb").mkdir()
    small, big = TREES / "small" / "proc", TREES / "big" / "proc"
    modes = "10 0 10 80 0 0 0 0 0 0"
    cores = "\n".join(f"cpu{n} {modes}" for n in range(machine.kind.cores))
    (proc / "stat").write_text(f"cpu  {modes}\n{cores}\nintr 0\n")
    devices = sorted({mount.device for mount in machine.kind.mounts})
    (proc / "diskstats").write_text(
        "".join(f" 8 {n} {device[5:8]} 1 0 8 1 1 0 8 1 0 1 2\n" for n, device in enumerate(devices))
    )
    swap = f"SwapTotal: {machine.kind.swap >> 10} kB\nSwapFree: {machine.kind.swap >> 10} kB\n"
    plain = [
        line
        for line in (big / "meminfo").read_text().splitlines(keepends=True)
        if not line.startswith("Swap")
    ]
    (proc / "meminfo").write_text("".join(plain) + swap)
    (proc / "vmstat").write_bytes((big / "vmstat").read_bytes())
    (proc / "loadavg").write_bytes((small / "loadavg").read_bytes())
    (proc / "uptime").write_bytes((small / "uptime").read_bytes())
    (proc / "self" / "statm").write_bytes((small / "self" / "statm").read_bytes())
    (proc / "1" / "stat").write_bytes((big / "1" / "stat").read_bytes())
    (proc / "net" / "dev").write_text("a\nb\n  eth0: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n")
    for resource in ("cpu", "memory", "io"):
        lines = [f"{kind} avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" for kind in ("some", "full")]
        (proc / "pressure" / resource).write_text("".join(lines))
    (proc / "self" / "mountinfo").write_text(
        "".join(
            f"{n} 1 8:{n} / {mount.point} rw - {mount.kind} {mount.device} rw\n"
            for n, mount in enumerate(machine.kind.mounts)
        )
    )
    on = Host(str(proc), str(root / "sys"), statvfs=lambda _path: FAKE_SPACE)
    # A running agent has them in the order of their names, tests in that of who imported them first.
    assembly = Assembly({name: it(on, it.Config()) for name, it in sorted(samplers.items())}, on)
    return {series for frame in assembly.frames(Tick(0, 0.0)) for series in frame.source.layout.series}


@pytest.mark.parametrize("machine", fleet(5), ids=lambda machine: machine.name)
def test_every_series_is_one_of_the_real_agent(machine: Machine, tmp_path: Path) -> None:
    """Not all of them: a page is full without the count of each state of a socket."""
    streams = simulation(machine=machine).day(END // DAY - 1)
    simulated = {series for stream in streams for series in stream.source.layout.series}
    assert len(simulated) > 60
    assert simulated <= sampled(machine, tmp_path)
