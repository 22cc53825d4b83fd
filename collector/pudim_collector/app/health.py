"""What an operator's tools ask of a process: is it alive, may it be sent requests, what has it counted."""

from __future__ import annotations

import asyncio

import psycopg
from litestar import Response, get, head
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from msgspec import Struct

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.checks import WELL, Checks
from pudim_collector.infra import telemetry
from pudim_collector.infra.auth import public
from pudim_collector.infra.database import PsycopgEngine
from pudim_collector.infra.supervised import Supervisor

_OPERATORS = public("counts and states only, for tools that have no account")
_PATIENCE = 5.0

loop_failures = telemetry.gauge(
    "pudim_loop_failures", "How often a background loop failed and was restarted.", ["loop"]
)


class Alive(Struct):
    status: str


class Ready(Struct):
    """`loops` are the background loops and their states; `checks` say "well", or what is wrong."""

    status: str
    database: str
    loops: dict[str, str]
    checks: dict[str, str]


@get("/healthz", opt=_OPERATORS, tags=["System"], operation_id="is_alive")
async def healthz() -> Alive:
    """This process answers."""
    return Alive("alive")


@head("/healthz", opt=_OPERATORS, include_in_schema=False)
async def healthz_head() -> None:
    """The same for tools that ask for the status alone."""


@get(
    "/readyz",
    opt=_OPERATORS,
    tags=["System"],
    operation_id="is_ready",
    responses={503: ResponseSpec(Ready, description="Not ready.")},
)
async def readyz(
    database: NamedDependency[PsycopgEngine],
    supervisor: NamedDependency[Supervisor],
    checks: NamedDependency[Checks],
) -> Response[Ready]:
    """The database answers, every background loop runs, and what agents send can be stored; 503 otherwise."""
    reached = await _reached(database)
    loops = {name: str(report.state) for name, report in supervisor.reports.items()}
    found = checks.said()
    ready = reached and supervisor.healthy and set(found.values()) <= {WELL}
    said = Ready("ready" if ready else "not ready", "reached" if reached else "not reached", loops, found)
    return Response(said, status_code=200 if ready else 503)


@get("/metrics", opt=_OPERATORS, include_in_schema=False)
async def metrics(supervisor: NamedDependency[Supervisor]) -> Response[bytes]:
    for name, report in supervisor.reports.items():
        loop_failures.labels(name).set(report.failures)
    return Response(telemetry.exposition(), media_type=telemetry.CONTENT_TYPE)


async def _reached(database: PsycopgEngine) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE), database.connection() as connection:
            await connection.execute("SELECT 1")
    except (psycopg.Error, PudimError, TimeoutError):
        return False
    return True
