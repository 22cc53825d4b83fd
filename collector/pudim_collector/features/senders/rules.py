"""What a sender's token looks like, how much it may bring, and the lines that make others use it: values in, texts out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import ClassVar

from pudim.vocabulary.errors import PudimError

LONGEST_NAME = 128
DEFAULT_SERIES = 50_000
DEFAULT_SERVERS = 500
MOST_SERIES = 1_000_000
MOST_SERVERS = 10_000
RECENT = timedelta(minutes=10)
"""What a sender sent in this time it sends now."""
_PREFIX = "pud_snd_"
_SHOWN = len(_PREFIX) + 4
_TOKEN = re.compile(r"pud_snd_[A-Za-z0-9_-]{43}")


class SenderError(PudimError):
    """The sender cannot be made so."""

    code = "sender"
    status = 422
    field: ClassVar[str] = "form"


class SenderNameError(SenderError):
    """A sender's name has 1 to 128 characters, none of them control characters."""

    code = "sender_name"
    field = "name"


class SeriesCapError(SenderError):
    """A sender may have from 1 to 1,000,000 series."""

    code = "sender_series"
    field = "most_series"


class ServersCapError(SenderError):
    """A sender may make from 1 to 10,000 servers."""

    code = "sender_servers"
    field = "most_servers"


@dataclass(frozen=True)
class Caps:
    """How many series a sender may have in a day, and how many servers it may make."""

    series: int = DEFAULT_SERIES
    servers: int = DEFAULT_SERVERS


def clean_name(name: str) -> str:
    """Raises SenderNameError."""
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= LONGEST_NAME or not cleaned.isprintable():
        raise SenderNameError
    return cleaned


def check_caps(caps: Caps) -> Caps:
    """Raises SeriesCapError or ServersCapError."""
    if not 1 <= caps.series <= MOST_SERIES:
        raise SeriesCapError
    if not 1 <= caps.servers <= MOST_SERVERS:
        raise ServersCapError
    return caps


def caps_of(series: str, servers: str) -> Caps:
    """As a form gives them; empty means the default. Raises SeriesCapError or ServersCapError."""
    return check_caps(
        Caps(
            _count(series, DEFAULT_SERIES, SeriesCapError), _count(servers, DEFAULT_SERVERS, ServersCapError)
        )
    )


def _count(text: str, default: int, error: type[SenderError]) -> int:
    plain = text.strip().replace(",", "")
    if not plain:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", plain):
        raise error
    return int(plain)


def make_token(random: str) -> str:
    """A sender's token of 32 random bytes in base64url."""
    return f"{_PREFIX}{random}"


def looks_like_token(text: str) -> bool:
    """Whether it can be one at all; saves asking the database for noise."""
    return _TOKEN.fullmatch(text) is not None


def shown_prefix(token: str) -> str:
    return token[:_SHOWN]


def digest(token: str) -> bytes:
    """What is kept of a token; it holds 256 bits, so that a plain hash is enough."""
    return sha256(token.encode()).digest()


def sends_now(used_at: datetime | None, now: datetime) -> bool:
    return used_at is not None and now - used_at < RECENT


@dataclass(frozen=True)
class Snippets:
    """Lines to paste, one text for each kind of sender."""

    prometheus: str
    collector: str
    environment: str


def snippets(url: str, token: str) -> Snippets:
    """`url` is where others reach this collector, without a slash at the end."""
    return Snippets(
        prometheus=f"""remote_write:
  - url: "{url}/api/v1/write"
    authorization:
      credentials: "{token}"
""",
        collector=f"""exporters:
  otlphttp/pudim:
    endpoint: "{url}"
    headers:
      Authorization: "Bearer {token}"

service:
  pipelines:
    metrics:
      exporters: [otlphttp/pudim]
""",
        environment=f"""export OTEL_METRICS_EXPORTER=otlp
export OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_METRICS_ENDPOINT='{url}/v1/metrics'
export OTEL_EXPORTER_OTLP_METRICS_HEADERS='Authorization=Bearer%20{token}'
""",
    )
