"""Settings of a collector; the only reader of environment variables."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from pudim.vocabulary.errors import PudimError
from pudim_collector.app.security_contacts import contacts
from pudim_collector.infra.mail.server import SmtpServer
from pudim_collector.infra.proxies import BadProxies, ProxyHeaders, TrustedProxies
from pudim_collector.infra.safe_http.allowing import Allowed
from pudim_collector.infra.safe_http.proxy import Proxy

_OURS = ("PUDIM_", "PG", "CREDENTIALS_DIRECTORY")


class BadSetting(PudimError):
    """An environment variable has a value that Pudim cannot use."""

    code = "bad_setting"


class Role(StrEnum):
    """What a process does; `all` does everything."""

    ALL = "all"
    WEB = "web"
    INGEST = "ingest"
    JOBS = "jobs"

    def includes(self, part: Role) -> bool:
        return self in {Role.ALL, part}


@dataclass(frozen=True)
class Settings:
    """`database_url` None means the embedded PostgreSQL in `data_dir`; charts are read from `replica_url` if it is given.

    With `socket`, requests come through that unix socket and not over the network. Rate limits are counted in the database,
    or at `redis_url`; `rate_limit_scale` makes them as many times larger, and 0 switches them off.
    """

    data_dir: Path
    database_url: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 8460
    public_url: str | None = None
    role: Role = Role.ALL
    replica_url: str | None = field(default=None, repr=False)
    secret_keys_file: Path | None = None
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    socket: Path | None = None
    redis_url: str | None = field(default=None, repr=False)
    rate_limit_scale: float = 1.0
    hsts_subdomains: bool = False
    outbound: Allowed = field(default_factory=Allowed)
    outbound_proxy: Proxy | None = None
    ca_file: Path | None = None
    mail: SmtpServer | None = None
    security_contacts: tuple[str, ...] = ()

    language: str = "en"

    @property
    def url(self) -> str:
        """Where browsers and agents reach this collector, without a trailing slash."""
        return self.public_url.rstrip("/") if self.public_url else self.local_url

    @property
    def local_url(self) -> str:
        """Where this host itself reaches it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - a name to compare with
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def childrens_environment() -> dict[str, str]:
    """What a program that we start may see: nothing that is set for us or for the database's client, for it may hold passwords."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Raises BadSetting, naming the variable."""
    found = os.environ if environment is None else environment
    return Settings(
        data_dir=Path(found.get("PUDIM_DATA_DIR") or ".pudim"),
        database_url=found.get("PUDIM_DATABASE_URL") or None,
        host=found.get("PUDIM_HOST") or "127.0.0.1",
        port=_port(found.get("PUDIM_PORT") or "8460"),
        public_url=_public_url(found.get("PUDIM_PUBLIC_URL") or ""),
        role=_role(found.get("PUDIM_ROLE") or "all"),
        replica_url=found.get("PUDIM_DATABASE_REPLICA_URL") or None,
        language=_language(found.get("PUDIM_LANGUAGE") or "en"),
        secret_keys_file=Path(named) if (named := found.get("PUDIM_SECRET_KEYS_FILE")) else None,
        socket=Path(found["PUDIM_SOCKET"]) if found.get("PUDIM_SOCKET") else None,
        redis_url=_redis_url(found.get("PUDIM_REDIS_URL") or ""),
        outbound=_outbound(found.get("PUDIM_OUTBOUND_ALLOW") or ""),
        outbound_proxy=_outbound_proxy(found.get("PUDIM_OUTBOUND_PROXY") or ""),
        ca_file=(ca_file := _ca_file(found.get("PUDIM_CA_FILE") or "")),
        mail=_mail(
            found.get("PUDIM_SMTP_URL") or "",
            found.get("PUDIM_MAIL_FROM") or "",
            found.get("PUDIM_SMTP_PASSWORD_FILE") or "",
            ca_file,
        ),
        security_contacts=_security_contacts(found.get("PUDIM_SECURITY_CONTACT") or ""),
        hsts_subdomains=_switch("PUDIM_HSTS_SUBDOMAINS", found.get("PUDIM_HSTS_SUBDOMAINS") or "no"),
        rate_limit_scale=_scale(found.get("PUDIM_RATE_LIMIT_SCALE") or "1"),
        proxies=_proxies(
            found.get("PUDIM_TRUSTED_PROXIES") or "", found.get("PUDIM_PROXY_HEADERS") or "x-forwarded"
        ),
    )


def _public_url(text: str) -> str | None:
    if not text:
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadSetting("PUDIM_PUBLIC_URL must be like https://pudim.example.org")
    return text


def _redis_url(text: str) -> str | None:
    if text and not text.startswith(("redis://", "rediss://", "unix://")):
        raise BadSetting("PUDIM_REDIS_URL must be like redis://127.0.0.1:6379/0")
    return text or None


def _outbound(text: str) -> Allowed:
    try:
        return Allowed.parse(text)
    except ValueError as error:
        raise BadSetting(f"PUDIM_OUTBOUND_ALLOW: {error}") from error


def _outbound_proxy(text: str) -> Proxy | None:
    try:
        return Proxy.parse(text) if text else None
    except ValueError as error:
        raise BadSetting(f"PUDIM_OUTBOUND_PROXY {error}") from None


def _ca_file(text: str) -> Path | None:
    if not text:
        return None
    try:
        ssl.create_default_context(cafile=text)
    except OSError as error:
        raise BadSetting("PUDIM_CA_FILE must be a file with certificates of authorities, as PEM") from error
    return Path(text)


def _mail(url: str, sender: str, password_file: str, ca_file: Path | None) -> SmtpServer | None:
    if not url:
        return None
    try:
        return SmtpServer.parse(url, sender, Path(password_file) if password_file else None, ca_file)
    except ValueError as error:
        variable = "PUDIM_MAIL_FROM" if "sender" in str(error) else "PUDIM_SMTP_URL"
        raise BadSetting(f"{variable} {error}") from None


def _security_contacts(text: str) -> tuple[str, ...]:
    try:
        return contacts(text)
    except ValueError as error:
        raise BadSetting(f"PUDIM_SECURITY_CONTACT {error}") from None


def _switch(name: str, text: str) -> bool:
    if text not in {"yes", "no"}:
        raise BadSetting(f"{name} must be yes or no")
    return text == "yes"


def _scale(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4})?", text):
        raise BadSetting("PUDIM_RATE_LIMIT_SCALE must be a number such as 2 or 0.5, and 0 for no limits")
    return float(text)


def _proxies(networks: str, headers: str) -> TrustedProxies:
    try:
        family = ProxyHeaders(headers)
    except ValueError as error:
        raise BadSetting(f"PUDIM_PROXY_HEADERS must be one of {', '.join(ProxyHeaders)}") from error
    try:
        return TrustedProxies.parse(networks, family)
    except BadProxies as error:
        raise BadSetting(f"PUDIM_TRUSTED_PROXIES: {error.detail} {error.hint}") from error


def _language(text: str) -> str:
    if text == "en":
        return text  # so that commands start without the catalogues
    from pudim_collector.infra.language import tags

    known = {tag.lower(): tag for tag in tags()}
    if text.lower() not in known:
        raise BadSetting(f"PUDIM_LANGUAGE must be one of {', '.join(known.values())}")
    return known[text.lower()]


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65_536:  # noqa: PLR2004 - ports end there
        raise BadSetting("PUDIM_PORT must be a port number")
    return int(text)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise BadSetting(f"PUDIM_ROLE must be one of {', '.join(Role)}") from error
