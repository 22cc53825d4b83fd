"""The link as the agent keeps it, against a collector that speaks the real wire over a real socket."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pudim import __version__
from pudim.wire.batches import Batch
from pudim.wire.keys import generate, public_bytes, to_text
from pudim.wire.layouts import Layout, Series, Source
from pudim.wire.messages import Checks, Command, Mandate, Successor, Taken
from pudim.wire.refusals import (
    BadFrame,
    BadSignature,
    Busy,
    ClockSkew,
    Malformed,
    Refusal,
    StoreUnavailable,
)
from pudim_agent import session
from pudim_agent.assembly import Frame
from pudim_agent.backoff import Backoff
from pudim_agent.clock import SystemClock
from pudim_agent.config import AgentConfig
from pudim_agent.facts import host_facts
from pudim_agent.identity import Identity
from pudim_agent.notices import Notices
from pudim_agent.pinned import Pinned
from pudim_agent.spool import Limits, Spool
from pudim_agent.stream import Pace, Stream, tls, websocket_url
from tests.agent.fake_collector import FakeCollector

HOST = Source("host", (), Layout((Series("system.uptime", "s"),)))
QUICK = Pace(low=0.01, high=0.05, refused=0.05, dial=2.0)


@dataclass
class NotedOrders:
    """The port that the agent's parts otherwise fill: it keeps what was asked."""

    intervals: list[int | None] = field(default_factory=list)
    checks: list[Checks] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    stored: list[Taken] = field(default_factory=list)
    mandates: list[Mandate] = field(default_factory=list)
    successors: list[Successor] = field(default_factory=list)

    def set_interval(self, interval_ms: int | None) -> None:
        self.intervals.append(interval_ms)

    def set_checks(self, checks: Checks) -> None:
        self.checks.append(checks)

    def command(self, command: Command) -> None:
        self.commands.append(command)

    def taken(self, taken: Taken) -> None:
        self.stored.append(taken)

    def mandate(self, mandate: Mandate) -> None:
        self.mandates.append(mandate)

    def successor(self, successor: Successor) -> None:
        self.successors.append(successor)


class Link:
    """A stream with its spool, running."""

    def __init__(self, config: AgentConfig, identity: Identity, limits: Limits | None = None) -> None:
        self.orders, self.notices = NotedOrders(), Notices()
        self.spool = Spool(config.state_dir / "spool", limits)
        self.pinned = Pinned(config.state_dir, config.collector_key, notices=Notices(), clock=SystemClock())
        self.stream = Stream(
            config,
            identity,
            self.spool,
            clock=SystemClock(),
            orders=self.orders,
            notices=self.notices,
            facts=host_facts(),
            pace=QUICK,
            pinned=self.pinned,
        )

    def sample(self, count: int = 1, source: Source = HOST) -> None:
        for _ in range(count):
            self.spool.append([Frame(source, [1.0] * len(source.layout.series))], SystemClock().now().wall_ms)
        self.stream.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Link]:
        task = asyncio.ensure_future(self.stream.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.spool.close()


def seqs(collector: FakeCollector) -> list[int]:
    return [batch.seq for batch in collector.batches]


def once(refusal: Refusal, when: Callable[[Batch], bool]) -> Callable[[Batch], Refusal | None]:
    left = [refusal]
    return lambda batch: left.pop() if left and when(batch) else None


async def test_what_is_spooled_arrives_and_leaves(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    async with Link(config, identity).running() as link:
        link.sample(3)
        await collector.until(lambda: seqs(collector) == [1, 2, 3])
        link.sample()
        await collector.until(lambda: seqs(collector) == [1, 2, 3, 4])
        await collector.until(lambda: link.spool.batches == 0)
    (opening,) = collector.openings
    assert opening.agent_version == __version__
    assert opening.interval == 100
    assert opening.facts["os.type"] == "linux"
    assert collector.sources == {HOST.hash: HOST}


async def test_a_source_is_declared_once_a_connection(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    other = Source("process", (("process.executable.name", "sh"),), HOST.layout)
    async with Link(config, identity).running() as link:
        link.sample(2)
        link.sample(2, other)
        await collector.until(lambda: len(collector.batches) == 4)
        await collector.disconnect()
        link.sample(2)
        link.sample(2, other)
        await collector.until(lambda: len(collector.batches) == 8)
    assert len(collector.openings) == 2
    assert set(collector.sources) == {HOST.hash, other.hash}


async def test_what_was_sampled_while_the_collector_was_away_follows(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    port = collector.port
    async with Link(config, identity).running() as link:
        link.sample(5)
        await collector.until(lambda: len(collector.batches) == 5)
        await collector.stop()
        link.sample(300)
        await asyncio.sleep(0.2)
        await collector.start(port)
        await collector.until(lambda: link.spool.batches == 0)
    assert seqs(collector) == list(range(1, 306))


async def test_a_connection_that_ends_between_commit_and_acknowledgement_repeats_and_loses_nothing(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    collector.acknowledging = False
    async with Link(config, identity).running() as link:
        link.sample(100)
        await collector.until(lambda: len(collector.batches) == 64)  # the window
        collector.acknowledging = True
        await collector.disconnect()
        await collector.until(lambda: link.spool.batches == 0)
    assert seqs(collector) == list(range(1, 101))


async def test_a_batch_that_is_never_taken_is_given_up(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    collector.judge = lambda batch: BadFrame() if batch.seq in {2, 3} else None
    async with Link(config, identity).running() as link:
        link.sample(50)
        await collector.until(lambda: link.spool.batches == 0)
        assert link.spool.lost == 2
    assert seqs(collector) == [1, *range(4, 51)]
    assert collector.batches[1].skipped == 2
    assert len(collector.openings) == 1


async def test_a_batch_that_ends_every_session_is_given_up(
    collector: FakeCollector, config: AgentConfig, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    collector.judge = lambda batch: Malformed() if batch.seq == 3 else None
    async with Link(config, identity).running() as link:
        link.sample(10)
        await collector.until(lambda: link.spool.batches == 0)
        assert link.spool.lost == 1
    assert seqs(collector) == [1, 2, *range(4, 11)]
    assert "gave up batch 3" in caplog.text


async def test_sessions_that_end_for_other_reasons_cost_no_batch(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    left = [StoreUnavailable(), Busy(), Malformed(), StoreUnavailable(), Malformed(), Busy()]
    collector.judge = lambda batch: left.pop() if left and batch.seq == 3 else None
    async with Link(config, identity).running() as link:
        link.sample(10)
        await collector.until(lambda: link.spool.batches == 0)
    assert seqs(collector) == list(range(1, 11))


async def test_a_batch_refused_for_now_is_sent_again(
    collector: FakeCollector, config: AgentConfig, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_RETRY_SECONDS", 0.05)
    collector.judge = once(StoreUnavailable(), lambda batch: batch.seq == 3)
    async with Link(config, identity).running() as link:
        link.sample(10)
        await collector.until(lambda: link.spool.batches == 0)
    assert seqs(collector) == list(range(1, 11))
    assert link.spool.lost == 0


async def test_batches_lost_at_the_agent_are_declared_when_the_collector_asks(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    limits = Limits(max_bytes=16 * 1024)
    before = Link(config, identity, limits)
    before.sample(500)
    before.spool.close()
    async with Link(config, identity, limits).running() as link:
        await collector.until(lambda: link.spool.batches == 0)
    first, *_ = collector.batches
    assert first.skipped == first.seq - 1 > 0
    assert sum(batch.skipped + 1 for batch in collector.batches) == collector.batches[-1].seq == 500


async def test_an_older_boot_goes_first(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    before = Link(config, identity)
    before.sample(3)
    before.spool.close()
    async with Link(config, identity).running() as link:
        link.sample(2)
        await collector.until(lambda: len(collector.batches) == 5)
    assert seqs(collector) == [1, 2, 3, 1, 2]
    assert len({batch.boot_id for batch in collector.batches}) == 2


async def test_the_collector_sets_the_interval_and_the_end_of_the_connection_resets_it(
    collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    collector.interval = 1000
    async with Link(config, identity).running() as link:
        await collector.until(lambda: 1000 in link.orders.intervals)
        await collector.disconnect()
        await collector.until(lambda: link.orders.intervals[-2:] == [None, 1000])


@pytest.mark.parametrize(("said", "taken"), [(1, 100), (5_000_000, 3_600_000), (0, None)])
async def test_an_interval_beyond_reason_is_bounded(
    said: int, taken: int | None, collector: FakeCollector, config: AgentConfig, identity: Identity
) -> None:
    collector.interval = said
    async with Link(config, identity).running() as link:
        await collector.until(lambda: bool(link.orders.intervals))
        assert link.orders.intervals[0] == taken


async def test_an_agent_that_is_not_known_says_what_to_do_and_goes_on_trying(
    collector: FakeCollector, config: AgentConfig, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    known = collector.agents.pop(identity.agent_id)
    with caplog.at_level(logging.INFO):
        async with Link(config, identity).running() as link:
            link.sample()
            await collector.until(lambda: "unknown_agent" in caplog.text)
            await asyncio.sleep(0.2)
            collector.agents[identity.agent_id] = known
            await collector.until(lambda: seqs(collector) == [1])
    assert caplog.text.count("unknown_agent") == 1
    assert "pudim agent enrol" in caplog.text


async def test_a_refused_session_is_named_and_tried_again(
    collector: FakeCollector, config: AgentConfig, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    collector.refuse_session = ClockSkew("the agent's clock is 90 s ahead")
    async with Link(config, identity).running():
        await collector.until(lambda: len(collector.openings) > 2)
    assert "clock_skew" in caplog.text
    assert "chrony" in caplog.text


async def test_nothing_is_told_to_a_collector_that_is_not_the_pinned_one(
    collector: FakeCollector, config: AgentConfig, identity: Identity, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(config, collector_key=to_text(public_bytes(generate())))
    async with Link(other, identity).running() as link:
        link.sample()
        await collector.until(lambda: BadSignature.code in caplog.text)
        await asyncio.sleep(0.1)
    assert collector.openings == []
    assert collector.batches == []


async def test_silence_after_batches_ends_the_connection(
    collector: FakeCollector, config: AgentConfig, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_ANSWER_SECONDS", 0.05)
    collector.acknowledging = False
    async with Link(config, identity).running() as link:
        link.sample()
        await collector.until(lambda: len(collector.openings) > 1)
        collector.acknowledging = True
        await collector.until(lambda: link.spool.batches == 0)
    assert seqs(collector) == [1]


async def test_silence_without_batches_is_fine(
    collector: FakeCollector, config: AgentConfig, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_ANSWER_SECONDS", 0.02)
    async with Link(config, identity).running():
        await collector.until(lambda: len(collector.openings) == 1)
        await asyncio.sleep(0.2)
    assert len(collector.openings) == 1


def test_each_wait_is_longer_up_to_a_limit_and_jittered() -> None:
    backoff = Backoff(1.0, 60.0, draw=lambda: 1.0)
    assert [backoff.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.next() == 1
    assert Backoff(1.0, 60.0, draw=lambda: 0.0).next() == 0.5


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://pudim.example.org", "wss://pudim.example.org/agent/v1/stream"),
        ("http://127.0.0.1:80/", "ws://127.0.0.1:80/agent/v1/stream"),
        ("https://example.org/pudim/", "wss://example.org/pudim/agent/v1/stream"),
    ],
)
def test_the_address_of_the_stream(url: str, expected: str) -> None:
    assert websocket_url(url) == expected


def test_certificates_are_always_verified(config: AgentConfig) -> None:
    paths = ssl.get_default_verify_paths()
    if paths.cafile is None:
        pytest.skip("no bundle of certificates here")
    context = tls(replace(config, url="https://example.org", ca_file=Path(paths.cafile)))
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert tls(config) is True  # aiohttp's word for verifying


async def test_notices_are_told_when_they_change_and_on_each_connection(
    config: AgentConfig, identity: Identity, collector: FakeCollector
) -> None:
    link = Link(config, identity)
    link.notices.tell("facts", 1, {"host.name": "web-1"})
    async with link.running():
        await collector.until(lambda: len(collector.notices) == 1)
        link.notices.tell("facts", 2, {"host.name": "web-1"})
        link.notices.tell("units", 3, {"failed": ["nginx.service"]})
        await collector.until(lambda: len(collector.notices) == 2)
        await collector.disconnect()
        await collector.until(lambda: len(collector.notices) == 4)
    assert [(one.kind, one.at) for one in collector.notices] == [("facts", 1), ("units", 3)] * 2


async def test_orders_reach_the_agent(
    config: AgentConfig, identity: Identity, collector: FakeCollector
) -> None:
    orders = Checks(7, ({"id": "a"},)), Command(b"envelope", b"s" * 64), Taken(3)
    collector.orders = [one.encode() for one in orders]
    link = Link(config, identity)
    async with link.running():
        await collector.until(lambda: bool(link.orders.stored))
    assert (*link.orders.checks, *link.orders.commands, *link.orders.stored) == orders
