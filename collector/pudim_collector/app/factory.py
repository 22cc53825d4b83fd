"""The web application of a running collector: features, their services by name, and the operator's routes."""

from __future__ import annotations

from urllib.parse import urlsplit

from litestar import Litestar

from pudim_collector.app.features import FEATURES
from pudim_collector.app.health import healthz, healthz_head, metrics, readyz
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.security_txt import WhomToTell, security_txt
from pudim_collector.app.settings import Role
from pudim_collector.features.servers.service import Changes, Invitations
from pudim_collector.infra.api.conventions import Conventions, cursor_key
from pudim_collector.infra.edge import build_app
from pudim_collector.infra.gate import EdgeSettings
from pudim_collector.infra.proxies import came_from_proxy
from pudim_collector.infra.request_ids import RequestIds
from pudim_collector.ingest.outside.endpoint import export_metrics, write


def web_application(runtime: Runtime) -> Litestar:
    """Raises UndeclaredAccessError if a route does not say who may use it."""
    settings = runtime.settings
    own = frozenset({urlsplit(settings.public_url.lower()).netloc}) if settings.public_url else frozenset()
    # Only where the writer runs: elsewhere nobody would ever commit.
    pushed = [export_metrics, write] if settings.role.includes(Role.INGEST) else []
    app = build_app(
        FEATURES,
        runtime.authentication,
        settings=EdgeSettings(own_hosts=own, hsts_subdomains=settings.hsts_subdomains),
        senders=runtime.senders,
        language=settings.language,
        limits=runtime.rate_limits if settings.rate_limit_scale else None,
        conventions=Conventions(cursor_key(runtime.key), runtime.answers, runtime.clock),
        directory=runtime.directory,
        addresses=runtime.address_lists,
        route_handlers=[healthz, healthz_head, readyz, metrics, security_txt, *pushed],
        dependencies={
            "accounts": runtime.accounts,
            "tokens": runtime.tokens,
            "address_lists": runtime.address_lists,
            "sessions": runtime.sessions,
            "credentials": runtime.credentials,
            "passkeys": runtime.passkeys,
            "factors": runtime.factors,
            "demands": runtime.demands,
            "servers": runtime.servers,
            "teams": runtime.teams,
            "roles": runtime.roles,
            "members": runtime.members,
            "joining": runtime.joining,
            "metrics": runtime.metrics,
            "uptime": runtime.uptime,
            "notices": runtime.notices,
            "commands": runtime.commands,
            "ledger": runtime.ledger,
            "changes": Changes(runtime.announcements),
            "invitations": Invitations(runtime.servers, settings.url, runtime.key, runtime.releases),
            "storage": runtime.storage,
            "audit": runtime.audit,
            "privacy": runtime.privacy,
            "receivers": runtime.receivers,
            "collector_key": runtime.key,
            "releases": runtime.releases,
            "senders": runtime.senders,
            "doors": runtime.doors,
            "public_address": settings.url,
            "database": runtime.database,
            "supervisor": runtime.supervisor,
            "checks": runtime.checks,
            "whom_to_tell": WhomToTell(settings.security_contacts, settings.url, runtime.clock),
        },
    )
    app.asgi_handler = RequestIds(runtime.trail.around(app.asgi_handler), came_from_proxy)
    return app
