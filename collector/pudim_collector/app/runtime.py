"""All parts of one collector process, put together; started and stopped in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pudim.wire.keys import public_bytes
from pudim_collector.app.agents import EnrolledAgents
from pudim_collector.app.authentication import Authentication
from pudim_collector.app.checks import Checks
from pudim_collector.app.checks_told import ChecksTold
from pudim_collector.app.command_keys import command_keys
from pudim_collector.app.commanding import Commanding, LocalSigner
from pudim_collector.app.features import HOLDINGS, KEPT, PERMISSIONS, PERSONAL
from pudim_collector.app.key_succession import COLLECTOR, succession_of
from pudim_collector.app.keys import key_ring, release_key
from pudim_collector.app.leaving import ServersOfTeam
from pudim_collector.app.limits import LimitsHeard
from pudim_collector.app.memory import give_back_now_and_then
from pudim_collector.app.outside import PlacedServers
from pudim_collector.app.revoking import Revoking
from pudim_collector.app.settings import Role, Settings
from pudim_collector.app.successor_told import SuccessorTold
from pudim_collector.app.watching import Watching
from pudim_collector.features.accounts.service import Accounts
from pudim_collector.features.addresses.service import ADDRESSES_CHANGED, AddressLists
from pudim_collector.features.attempts.service import Attempts
from pudim_collector.features.audit.service import AuditLog, Trail
from pudim_collector.features.commands.service import ASKED, HostCommands
from pudim_collector.features.completeness.service import DayLedger
from pudim_collector.features.credentials.service import Credentials
from pudim_collector.features.factors.service import (
    RECOVERY_KEYS,
    TOTP_SECRETS,
    Demands,
    EnrolledFactors,
    Factors,
)
from pudim_collector.features.installing.service import Releases
from pudim_collector.features.invitations.service import Joining
from pudim_collector.features.members.service import Members
from pudim_collector.features.metrics.service import WATCH, Metrics
from pudim_collector.features.notices.service import NOTICED, HostNotices
from pudim_collector.features.passkeys.service import Passkeys
from pudim_collector.features.privacy.service import Privacy
from pudim_collector.features.receivers.jobs import Delivery
from pudim_collector.features.receivers.service import Receivers
from pudim_collector.features.roles.service import Roles
from pudim_collector.features.senders.service import Senders
from pudim_collector.features.servers.service import COMMITTED, REVOKED, OutsideServers, Servers, TeamsServers
from pudim_collector.features.sessions.service import Sessions
from pudim_collector.features.storage.service import LIMITS_CHANGED, Storage
from pudim_collector.features.teams.service import Teams
from pudim_collector.features.tokens.jobs import ExpiryWarnings
from pudim_collector.features.tokens.service import Tokens
from pudim_collector.features.uptime.service import CHECK_SECRETS, CHECKS_CHANGED, Uptime
from pudim_collector.infra.announcements import Announcements
from pudim_collector.infra.api.idempotency import SEALED_ANSWERS, Answers
from pudim_collector.infra.database import PsycopgEngine, ReadPool
from pudim_collector.infra.mail.mailer import Mailer
from pudim_collector.infra.mail.outbox import SEALED_MAIL
from pudim_collector.infra.permissions import Rights
from pudim_collector.infra.rate_limits.metering import RateLimits
from pudim_collector.infra.rate_limits.stores import PostgresStore, RedisStore
from pudim_collector.infra.safe_http import Outbound
from pudim_collector.infra.scheduler import Job, Scheduler
from pudim_collector.infra.sealing import Sealers
from pudim_collector.infra.supervised import Supervisor
from pudim_collector.ingest.endpoint import AgentStream
from pudim_collector.ingest.outside.endpoint import Doors
from pudim_collector.ingest.outside.intake import Intake
from pudim_collector.ingest.writer import Writer
from pudim_collector.kernel.clock import Clock
from pudim_collector.series.attendance import Attendance
from pudim_collector.series.collectors import CollectorRun
from pudim_collector.series.presence import Presence
from pudim_collector.series.reading import Reader
from pudim_collector.series.retention import Retention
from pudim_collector.series.shelves import Shelving
from pudim_collector.series.store import Store
from pudim_collector.series.turns import upkeep_turn
from pudim_collector.series.upkeep import Upkeep

ROLL_UP_SECONDS = 45.0
"""A backlog is worked on for so long in each minute, so that what is recent is never late."""


@dataclass(frozen=True)
class Runtime:
    """What requests and agents meet."""

    settings: Settings
    key: Ed25519PrivateKey
    database: PsycopgEngine
    clock: Clock
    store: Store
    upkeep: Upkeep
    read_pool: ReadPool
    reader: Reader
    accounts: Accounts
    tokens: Tokens
    attempts: Attempts
    sessions: Sessions
    credentials: Credentials
    passkeys: Passkeys
    factors: Factors
    demands: Demands
    servers: Servers
    directory: TeamsServers
    teams: Teams
    roles: Roles
    members: Members
    joining: Joining
    metrics: Metrics
    notices: HostNotices
    commands: HostCommands
    commanding: Commanding
    uptime: Uptime
    storage: Storage
    ledger: DayLedger
    collector_run: CollectorRun
    announcements: Announcements
    writer: Writer
    agents: EnrolledAgents
    stream: AgentStream
    successor: SuccessorTold
    senders: Senders
    doors: Doors
    supervisor: Supervisor
    rate_limits: RateLimits
    address_lists: AddressLists
    answers: Answers
    trail: Trail
    audit: AuditLog
    privacy: Privacy
    outbound: Outbound
    mailer: Mailer
    checks: Checks = field(default_factory=Checks)

    @property
    def receivers(self) -> Receivers:
        """Where audit entries are sent to."""
        return Receivers(self.audit, self.clock, self.trail.emit)

    @property
    def authentication(self) -> Authentication:
        """Who asks, for the gate."""
        return Authentication(self.accounts, self.tokens)

    @property
    def releases(self) -> Releases:
        """The agent that hosts get from here."""
        return Releases(self.settings.data_dir, release_key(self.settings.data_dir))

    @classmethod
    def assemble(
        cls, settings: Settings, key: Ed25519PrivateKey, database: PsycopgEngine, clock: Clock
    ) -> Runtime:
        trail = Trail(clock)
        store, read_pool = Store(database), ReadPool(database)
        accounts, attempts = Accounts(clock, PERMISSIONS, emit=trail.emit), Attempts(clock)
        reader = Reader(database, clock, read_pool)
        announcements = Announcements(
            database,
            [COMMITTED, NOTICED, WATCH, REVOKED, ASKED, LIMITS_CHANGED, CHECKS_CHANGED, ADDRESSES_CHANGED],
        )
        address_lists = AddressLists(announcements, clock, emit=trail.emit)
        sealers = Sealers(key_ring(settings, clock.now()), key)
        mailer = Mailer(database, settings.mail, sealers.of(SEALED_MAIL), clock, language=settings.language)
        demands = Demands(emit=trail.emit)
        sessions = Sessions(
            accounts,
            attempts,
            clock,
            factors=EnrolledFactors(),
            policy=demands,
            letters=mailer,
            emit=trail.emit,
        )
        roles = Roles(clock, Rights(PERMISSIONS), emit=trail.emit)
        passkeys = Passkeys(settings.url, sessions, clock, emit=trail.emit)
        notices = HostNotices(announcements, clock)
        servers = Servers(reader, announcements, clock, notices, emit=trail.emit)
        uptime = Uptime(servers, notices, announcements, clock, sealers.of(CHECK_SECRETS), emit=trail.emit)
        signer = LocalSigner(command_keys(settings.data_dir), key)
        releases = Releases(settings.data_dir, release_key(settings.data_dir))
        commands = HostCommands(
            signer, servers, notices, announcements, clock, offered=releases, emit=trail.emit
        )
        commanding = Commanding(commands, announcements)
        own = public_bytes(key)
        successor = SuccessorTold(settings.data_dir, own)
        writer, agents = Writer(store), EnrolledAgents(servers, notices, uptime, commanding, successor)
        senders = Senders(clock, emit=trail.emit)
        intake = Intake(
            store=store,
            shelving=Shelving(database, store),
            writer=writer,
            servers=PlacedServers(OutsideServers(clock)),
            senders=senders,
            clock=clock,
        )
        return cls(
            settings,
            key,
            database,
            clock,
            store,
            Upkeep(database, store, clock),
            read_pool,
            reader,
            accounts,
            Tokens(clock, Rights(PERMISSIONS), accounts, address_lists, emit=trail.emit),
            attempts,
            sessions,
            Credentials(accounts, sessions, attempts, clock, url=settings.url, emit=trail.emit),
            passkeys,
            Factors(
                sessions,
                passkeys,
                attempts,
                clock,
                totp=sealers.of(TOTP_SECRETS),
                recovery=sealers.of(RECOVERY_KEYS),
                emit=trail.emit,
            ),
            demands,
            servers,
            TeamsServers(),
            Teams(clock, ServersOfTeam(database, announcements), emit=trail.emit),
            roles,
            Members(clock, roles, emit=trail.emit),
            Joining(clock, roles, accounts, mailer, url=settings.url, emit=trail.emit),
            Metrics(reader, servers, announcements, clock),
            notices,
            commands,
            commanding,
            uptime,
            Storage(
                database,
                store,
                announcements,
                clock,
                _local_disk(settings),
                holdings=HOLDINGS,
                emit=trail.emit,
            ),
            DayLedger(Presence(database), Attendance(database), servers, clock),
            CollectorRun(database, clock),
            announcements,
            writer,
            agents,
            AgentStream(
                key,
                agents,
                store=store,
                writer=writer,
                clock=clock,
                links=succession_of(settings.data_dir, COLLECTOR, own).links,
            ),
            successor,
            senders,
            Doors(intake),
            Supervisor(clock),
            RateLimits(_limit_store(settings, database), clock, settings.rate_limit_scale),
            address_lists,
            Answers(sealers.of(SEALED_ANSWERS), clock),
            trail,
            AuditLog(clock, trail.emit),
            Privacy(PERSONAL, KEPT, clock, mailer, emit=trail.emit),
            Outbound(clock, settings.outbound, ca_file=settings.ca_file, proxy=settings.outbound_proxy),
            mailer,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The loops of this process' role, from a database that is open and migrated."""
        await self.store.prepare(self.clock.now())
        await self.read_pool.open(self.settings.replica_url)
        self.supervisor.start("memory", give_back_now_and_then)
        self.supervisor.start("announcements", self.announcements.run)
        self.supervisor.start("address lists", self.address_lists.run)
        self.supervisor.start("audit trail", self.trail.run)
        if self.settings.role.includes(Role.INGEST):
            self.checks.add("storing", lambda: self.writer.storing.failing)
            self.supervisor.start("writer", self.writer.run)
            self.supervisor.start("notices", self.notices.run)
            self.supervisor.start("senders", self.doors.intake.run)
            self.supervisor.start("collector run", self.collector_run.run)
            self.supervisor.start("watching", Watching(self.announcements, self.stream, self.clock).run)
            revoking = Revoking(self.announcements, self.servers, self.agents, self.stream)
            self.supervisor.start("revoking", revoking.run)
            self.supervisor.start("commanding", partial(self.commanding.run, self.stream))
            self.supervisor.start("successor told", partial(self.successor.run, self.stream))
            limits = LimitsHeard(self.announcements, self.store, self.clock)
            self.supervisor.start("limits", limits.run)
            told = ChecksTold(self.announcements, self.uptime, self.stream, self.clock)
            self.supervisor.start("checks told", told.run)
        if self.settings.role.includes(Role.JOBS):
            self.supervisor.start("scheduler", Scheduler(self.database, self._jobs(), self.clock).run)
        try:
            yield
        finally:
            await self.writer.settle()
            await self.supervisor.close()
            await self.trail.settle()
            await self.read_pool.close()
            await self.rate_limits.close()
            self.accounts.close()

    def _jobs(self) -> list[Job]:
        return [
            Job("make room for frames", timedelta(hours=1), self._make_room, "makes empty partitions"),
            Job(
                "send mail",
                timedelta(seconds=5),
                self.mailer.send_due,
                "sends what was asked for under a permission",
            ),
            Job(
                "roll up",
                timedelta(minutes=1),
                self._roll_up,
                "computes rollups of all teams' frames, and shows them to nobody",
            ),
            Job(
                "send the audit log",
                timedelta(seconds=5),
                self._delivery().run_once,
                "sends each log to where its owners said",
            ),
            Job(
                "prune the audit log",
                timedelta(hours=1),
                self._prune_audit,
                "removes by the days that each team set",
            ),
            Job("give space back", timedelta(minutes=2), self.upkeep.tidy, "vacuums tables"),
            Job(
                "keep to the limits",
                timedelta(minutes=5),
                self._keep_to_limits,
                "removes by the limits that operators set",
            ),
            Job(
                "judge completeness", timedelta(minutes=5), self.ledger.refresh, "counts samples of all teams"
            ),
            Job(
                "tell of ending tokens",
                timedelta(minutes=10),
                self._expiry_warnings().run_once,
                "tells owners of their own tokens",
            ),
            Job("forget answers", timedelta(hours=1), self.answers.forget, "removes what has run out"),
            Job(
                "forget failed attempts",
                timedelta(minutes=10),
                self.attempts.tidy,
                "removes what has run out",
            ),
            Job(
                "remove by age",
                timedelta(hours=1),
                self.privacy.tidy,
                "removes by the days that operators set",
            ),
            Job("measure storage", timedelta(minutes=10), self.storage.measure, "measures tables"),
            Job(
                "forget rate limits",
                timedelta(minutes=10),
                PostgresStore(self.database).forget_empty,
                "removes what has run out",
            ),
        ]

    def _delivery(self) -> Delivery:
        return Delivery(self.audit, self.clock, urlsplit(self.settings.url).hostname or "-", self.outbound)

    def _expiry_warnings(self) -> ExpiryWarnings:
        return ExpiryWarnings(self.clock, self.tokens.rights, self.mailer, self.settings.url)

    async def _prune_audit(self) -> None:
        await self.audit.prune()

    async def _roll_up(self) -> None:
        async with upkeep_turn(self.database):
            await self.upkeep.run_once(patience=ROLL_UP_SECONDS)

    async def _keep_to_limits(self) -> None:
        async with upkeep_turn(self.database):
            await Retention(self.database, self.store, self.storage.raw_moved).run_once(self.clock.now())

    async def _make_room(self) -> None:
        await self.store.prepare(self.clock.now())


def _limit_store(settings: Settings, database: PsycopgEngine) -> PostgresStore | RedisStore:
    return RedisStore(settings.redis_url) if settings.redis_url else PostgresStore(database)


def _local_disk(settings: Settings) -> Path | None:
    """Where the database's disk can be asked how full it is."""
    return settings.data_dir if settings.database_url is None else None
