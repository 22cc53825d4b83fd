"""`pudim agent ...` as a person types it, with real processes."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import psutil
import pytest

from pudim.wire.refusals import UnknownAgent
from pudim_agent.config import AgentConfig, load
from pudim_agent.spool import Spool
from tests.agent.fake_collector import FakeCollector

PUDIM = Path(sys.executable).with_name("pudim")


async def pudim(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(PUDIM, "agent", *arguments, stdout=PIPE, stderr=STDOUT)
    said, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode or 0, said.decode()


async def start(config: AgentConfig) -> Process:
    return await asyncio.create_subprocess_exec(
        PUDIM, "agent", "run", "--state-dir", str(config.state_dir), stdout=PIPE, stderr=STDOUT
    )


async def end(process: Process, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    process.send_signal(number)
    said, _ = await asyncio.wait_for(process.communicate(), 10)
    return process.returncode or 0, said.decode()


async def test_enrol_then_run_then_status_then_doctor(collector: FakeCollector, tmp_path: Path) -> None:
    collector.tokens = {"once"}
    state = tmp_path / "state"
    code, said = await pudim(
        "enrol", "--url", collector.url, "--token", "once", "--collector-key", collector.public_key,
        "--state-dir", str(state), "--interval-ms", "100",
    )  # fmt: skip
    assert code == 0, said
    (agent_id,) = collector.agents
    assert str(agent_id) in said

    process = await asyncio.create_subprocess_exec(
        PUDIM, "agent", "run", "--state-dir", str(state), stdout=PIPE, stderr=STDOUT
    )
    await collector.until(lambda: len(collector.batches) >= 5, 15)

    code, said = await pudim("status", "--state-dir", str(state))
    assert code == 0, said
    assert f"process {process.pid}" in said

    code, said = await pudim("doctor", "--state-dir", str(state))
    assert code == 0, said
    assert said.count("ok  ") >= 10
    assert "FAIL" not in said

    code, said = await end(process)
    assert code == 0, said
    assert "Traceback" not in said
    code, said = await pudim("status", "--state-dir", str(state))
    assert (code, "not running" in said) == (3, True)

    times = [time for batch in collector.batches for time in _times(batch.blocks[0].times)]
    assert all(time % 100 == 0 for time in times)
    assert times == sorted(set(times))
    assert len(collector.batches[-1].blocks[0].values) // 8 >= 60


@pytest.mark.parametrize("way", ["variable", "file", "input"])
async def test_the_token_need_not_stand_in_the_command(
    collector: FakeCollector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    collector.tokens = {"once"}
    kept, file = tmp_path / "etc" / "agent.toml", tmp_path / "token"
    file.write_text("once\n")
    if way == "variable":
        monkeypatch.setenv("PUDIM_ENROLMENT_TOKEN", "once")
    more = {"variable": [], "file": ["--token-file", str(file)], "input": ["--token-file", "-"]}[way]
    process = await asyncio.create_subprocess_exec(
        *(PUDIM, "agent", "enrol", "--url", collector.url, "--collector-key", collector.public_key),
        *("--state-dir", str(tmp_path / "state"), "--config", str(kept), *more),
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(b"once\n"), 20)
    assert process.returncode == 0, said
    assert collector.tokens == set()
    assert load(kept).state_dir == tmp_path / "state"
    assert not (tmp_path / "state" / "agent.toml").exists()


async def test_without_a_token_nothing_is_asked(collector: FakeCollector, tmp_path: Path) -> None:
    code, said = await pudim(
        "enrol", "--url", collector.url, "--collector-key", collector.public_key, "--state-dir", str(tmp_path)
    )  # fmt: skip
    assert code == 2
    assert "PUDIM_ENROLMENT_TOKEN" in said


async def test_an_agent_with_a_parent_ends_with_it(collector: FakeCollector, enrolled: AgentConfig) -> None:
    process = await asyncio.create_subprocess_exec(
        *(PUDIM, "agent", "run", "--state-dir", str(enrolled.state_dir), "--with-parent"),
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
    )
    await collector.until(lambda: len(collector.batches) >= 1, 15)
    assert process.stdin is not None
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_killed_agent_sends_what_it_had_sampled(
    collector: FakeCollector, enrolled: AgentConfig
) -> None:
    collector.acknowledging = False
    process = await start(enrolled)
    await collector.until(lambda: len(collector.batches) >= 5, 15)
    await end(process, signal.SIGKILL)
    collector.acknowledging = True
    process = await start(enrolled)
    await collector.until(lambda: len(collector.accepted) == 2, 15)
    await collector.until(lambda: not list((enrolled.state_dir / "spool").glob("*1.spool")), 15)
    await end(process)
    for boot, last in collector.accepted.items():
        assert [batch.seq for batch in collector.batches if batch.boot_id == boot] == list(range(1, last + 1))


async def test_a_second_agent_on_the_same_state_is_refused(
    collector: FakeCollector, enrolled: AgentConfig
) -> None:
    spool = Spool(enrolled.state_dir / "spool")
    process = await start(enrolled)
    said, _ = await asyncio.wait_for(process.communicate(), 15)
    spool.close()
    assert process.returncode == 1
    assert b"spool_in_use" in said


async def test_modules_in_the_working_directory_are_not_run(
    collector: FakeCollector, enrolled: AgentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aiohttp.py").write_text("raise SystemExit(66)")
    monkeypatch.chdir(tmp_path)
    process = await start(enrolled)
    await collector.until(lambda: len(collector.batches) >= 1, 15)
    code, said = await end(process)
    assert code == 0, said


async def test_a_host_that_is_not_enrolled(tmp_path: Path) -> None:
    code, said = await pudim("status", "--state-dir", str(tmp_path))
    assert code == 1
    assert "No such file" in said


async def test_faults_of_the_configuration_are_said_together(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('url = "x"\ninterval = 3\n')
    code, said = await pudim("run", "--state-dir", str(tmp_path))
    assert code == 1
    assert "interval: unknown; did you mean 'interval_ms'?" in said
    assert "collector_key: missing" in said


async def test_a_wrong_key_is_refused_before_anything_is_sent(
    collector: FakeCollector, tmp_path: Path
) -> None:
    collector.tokens = {"once"}
    code, said = await pudim(
        "enrol", "--url", collector.url, "--token", "once", "--collector-key", "short", "--state-dir", str(tmp_path)
    )  # fmt: skip
    assert code == 1
    assert "collector_key" in said
    assert collector.tokens == {"once"}


async def test_the_doctor_says_what_is_wrong(collector: FakeCollector, enrolled: AgentConfig) -> None:
    collector.agents.clear()
    (enrolled.state_dir / "identity").chmod(0o644)
    enrolled.state_dir.chmod(0o777)
    code, said = await pudim("doctor", "--state-dir", str(enrolled.state_dir))
    assert code == 1
    assert "FAIL identity" in said
    assert "chmod 600" in said
    assert "FAIL state directory" in said
    (enrolled.state_dir / "identity").chmod(0o600)
    _, said = await pudim("doctor", "--state-dir", str(enrolled.state_dir))
    assert UnknownAgent.hint in said


async def test_the_agent_is_small(collector: FakeCollector, enrolled: AgentConfig) -> None:
    """Well above what it takes, so that only a new heavy import fails it; the benchmark measures."""
    process = await start(enrolled)
    await collector.until(lambda: len(collector.batches) >= 5, 15)
    resident = psutil.Process(process.pid).memory_info().rss
    code, said = await end(process, signal.SIGINT)
    assert code == 0, said
    assert resident < 55e6


def _times(packed: bytes) -> list[int]:
    return [int.from_bytes(packed[at : at + 8], "little") for at in range(0, len(packed), 8)]
