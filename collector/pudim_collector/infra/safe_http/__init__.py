"""The only way out: every request that the collector makes of another machine goes through here and is judged here."""

from __future__ import annotations

from pudim_collector.infra.safe_http.allowing import Allowed
from pudim_collector.infra.safe_http.client import Outbound
from pudim_collector.infra.safe_http.errors import (
    AddressRefused,
    BadRedirect,
    BadRequest,
    BadUrl,
    Malformed,
    NotReachable,
    OutboundError,
    ProxyRefused,
    TooLarge,
    TooManyRedirects,
    TooSlow,
    Untrusted,
)
from pudim_collector.infra.safe_http.proxy import Proxy
from pudim_collector.infra.safe_http.requests import Answer, Request

__all__ = [
    "AddressRefused",
    "Allowed",
    "Answer",
    "BadRedirect",
    "BadRequest",
    "BadUrl",
    "Malformed",
    "NotReachable",
    "Outbound",
    "OutboundError",
    "Proxy",
    "ProxyRefused",
    "Request",
    "TooLarge",
    "TooManyRedirects",
    "TooSlow",
    "Untrusted",
]
