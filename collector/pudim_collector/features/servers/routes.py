"""Servers in the API, and the door where agents enrol."""

from __future__ import annotations

from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from pudim.wire.enrolment import ENROL_PATH
from pudim.wire.keys import SIGNATURE_BYTES, BadKey, from_text, to_text
from pudim.wire.refusals import BadSignature, EnrolmentTokenExpired, EnrolmentTokenInvalid, EnrolmentTokenUsed
from pudim_collector.features.servers.rules import BadTag
from pudim_collector.features.servers.schemas import (
    EnrolmentAnswer,
    EnrolmentRequest,
    EnrolmentToken,
    NewEnrolmentToken,
    Server,
    ServerChanges,
    ServerPage,
    Tags,
)
from pudim_collector.features.servers.service import EmptyName, Invitations, Servers
from pudim_collector.infra.api.entity_tags import Entity
from pudim_collector.infra.api.paging import Paging
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.api.selectors import BadSelectorError, LabelSelector, parse_selector
from pudim_collector.infra.auth import Principal, public, requires
from pudim_collector.infra.scoping import Scope


class ServersApi(Controller):
    path = "/api/v2/servers"
    tags = ("Servers",)

    @get(opt=requires("servers:read", each=True) | refuses(BadSelectorError), operation_id="list_servers")
    async def servers(
        self,
        servers: NamedDependency[Servers],
        within: NamedDependency[Scope],
        paging: NamedDependency[Paging],
        tag: Tags = None,
        label_selector: LabelSelector = None,
    ) -> ServerPage:
        """The servers that one may see, by name."""
        found = await servers.page(within, paging, tag or (), parse_selector(label_selector))
        return ServerPage([Server.of(view) for view in found], paging.next_cursor)

    @get("/{server_id:uuid}", opt=requires("servers:read", on="server_id"), operation_id="get_server")
    async def server(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        entity: NamedDependency[Entity],
    ) -> Server:
        """One server, with what is known of it now."""
        entity.version = await servers.version(within, server_id)
        return Server.of(await servers.one(within, server_id))

    @patch(
        "/{server_id:uuid}",
        opt=requires("servers:change", on="server_id") | refuses(EmptyName, BadTag),
        operation_id="change_server",
    )
    async def change(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        data: JSONBody[ServerChanges],
        servers: NamedDependency[Servers],
        entity: NamedDependency[Entity],
    ) -> Server:
        """Rename or tag a server."""
        async with entity.unchanged(lambda: servers.version(within, server_id, lock=True)):
            await servers.change(within, server_id, data.name, data.tags)
        entity.version = await servers.version(within, server_id)
        return Server.of(await servers.one(within, server_id))

    @delete("/{server_id:uuid}", opt=requires("servers:revoke", on="server_id"), operation_id="revoke_server")
    async def revoke(
        self,
        server_id: FromPath[UUID],
        within: NamedDependency[Scope],
        servers: NamedDependency[Servers],
        entity: NamedDependency[Entity],
    ) -> None:
        """Take nothing more from this server's agent. Its history stays."""
        async with entity.unchanged(lambda: servers.version(within, server_id, lock=True)):
            await servers.revoke(within, server_id)


class EnrolmentTokens(Controller):
    path = "/api/v2/enrolment-tokens"
    tags = ("Servers",)

    @post(opt=requires("servers:enrol"), operation_id="create_enrolment_token")
    async def create(
        self,
        principal: NamedDependency[Principal],
        invitations: NamedDependency[Invitations],
        data: JSONBody[NewEnrolmentToken | None] = None,
    ) -> EnrolmentToken:
        """A single-use, short-lived token by which one agent makes itself known."""
        invitation = await invitations.invite(data.name if data else None, principal.team_id)
        return EnrolmentToken(
            invitation.token, invitation.expires_at, invitation.collector_key, invitation.command
        )


class AgentEnrolment(Controller):
    tags = ("Agents",)

    @post(
        ENROL_PATH,
        opt=public("an agent without an identity shows a single-use token instead")
        | refuses(EnrolmentTokenInvalid, EnrolmentTokenUsed, EnrolmentTokenExpired, BadSignature, BadKey),
        operation_id="enrol_agent",
    )
    async def enrol(
        self,
        data: JSONBody[EnrolmentRequest],
        servers: NamedDependency[Servers],
        collector_key: NamedDependency[Ed25519PrivateKey],
    ) -> EnrolmentAnswer:
        """Make a server of the agent that holds this token."""
        enrolled = await servers.enrol(
            data.token,
            from_text(data.public_key),
            from_text(data.proof, SIGNATURE_BYTES),
            data.facts,
            collector_key,
            wish=data.name,
        )
        return EnrolmentAnswer(enrolled.agent_id, to_text(enrolled.signature))
