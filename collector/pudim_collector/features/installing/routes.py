"""The agent to take away: nothing of it is secret, and a host checks all of it by the key in its install line."""

from __future__ import annotations

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import File

from pudim_collector.features.installing.service import INSTALL_PATH, NoAgentBundle, Releases
from pudim_collector.infra.api.refusals import refuses
from pudim_collector.infra.auth import public

_PROGRAM = "application/octet-stream"


class AgentBundle(Controller):
    tags = ("Agents",)

    @get(
        INSTALL_PATH,
        opt=public("a host that is to be watched has no account") | refuses(NoAgentBundle),
        operation_id="get_install_script",
        media_type="text/x-shellscript; charset=utf-8",
        sync_to_thread=True,
    )
    def script(self, releases: NamedDependency[Releases]) -> Response[bytes]:
        """The program that installs the agent; the page 'Add server' makes the line that runs it."""
        return Response(releases.install_script())

    @get(
        "/agent/v1/bundle/release",
        opt=public("it is signed, and not secret") | refuses(NoAgentBundle),
        operation_id="get_agent_release",
        media_type=_PROGRAM,
        sync_to_thread=True,
    )
    def release(self, releases: NamedDependency[Releases]) -> Response[bytes]:
        """A 64-byte Ed25519 signature and the JSON manifest that it is over."""
        return Response(releases.signed())

    @get(
        "/agent/v1/bundle/successors",
        opt=public("each link is signed by the key before, and none is secret"),
        operation_id="get_release_key_successors",
        media_type=_PROGRAM,
        sync_to_thread=True,
    )
    def successors(self, releases: NamedDependency[Releases]) -> Response[bytes]:
        """How the key that signs releases came to be: links of 157 bytes, each signed by the key before; none where it is the first."""
        return Response(releases.successors())

    @get(
        "/agent/v1/bundle/files/{digest:str}",
        opt=public("its hash stands in the signed manifest") | refuses(NoAgentBundle),
        operation_id="get_agent_file",
        sync_to_thread=True,
    )
    def file(self, digest: FromPath[str], releases: NamedDependency[Releases]) -> File:
        """One file of the release by its SHA-256."""
        return File(releases.path_of(digest), media_type=_PROGRAM, filename=digest)
