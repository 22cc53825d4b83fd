"""A collector that is assembled but does not run, its web application, and its first team."""

from uuid import UUID

import pytest
from litestar import Litestar

from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.infra.permissions import Role
from tests.collector.app.site import clock, runtime
from tests.collector.teams.people import Someone, a_member

__all__ = ["clock", "runtime"]


@pytest.fixture
async def app(runtime: Runtime) -> Litestar:
    await runtime.store.prepare(runtime.clock.now())
    return web_application(runtime)


@pytest.fixture
async def team(runtime: Runtime) -> UUID:
    return await runtime.accounts.ensure_team()


@pytest.fixture
async def owner(runtime: Runtime, team: UUID) -> Someone:
    return await a_member(runtime, team, Role.OWNER, "ada")
