"""What a receiver of audit entries is, how an entry is written for it, and when one that failed is tried again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from pudim.vocabulary.errors import PudimError

MOST_RECEIVERS = 8
SYSLOG = ("syslog_udp", "syslog_tcp", "syslog_tls")
WEBHOOK = "webhook"
KINDS = {
    "syslog_tls": "Syslog over TLS",
    "syslog_tcp": "Syslog over TCP",
    "syslog_udp": "Syslog over UDP",
    WEBHOOK: "Webhook",
}
LONGEST_URL = 2_000
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=5)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?|::[A-Fa-f0-9:.]*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FACILITY = 13  # log audit
_SEVERITY = {"done": 6, "refused": 4, "failed": 3}
_ENTERPRISE = "32473"  # RFC 5612: for documentation, as we have none of our own
_LONGEST_PARAMETER = 500


class BadReceiver(PudimError):
    """Entries cannot be sent there."""

    code = "bad_receiver"
    status = 422

    def __init__(self, field: str = "form", detail: str = "") -> None:
        self.field = field
        super().__init__(detail)


def check_receiver(name: str, kind: str, settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and settings as they are kept. Raises BadReceiver."""
    name = _UNPRINTABLE.sub(" ", name.strip())[:128]
    if not name:
        raise BadReceiver("name", "Give it a name.")
    if kind == WEBHOOK:
        return name, {"url": _url(str(settings.get("url") or ""))}
    if kind not in SYSLOG:
        raise BadReceiver("kind", f"It is one of {', '.join(KINDS)}.")
    host, port = str(settings.get("host") or "").strip(), settings.get("port")
    if not _HOST.fullmatch(host):
        raise BadReceiver("host", "Write a host's name or address.")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536:  # noqa: PLR2004 - ports end there
        raise BadReceiver("port", "A port is a number from 1 to 65535.")
    return name, {"host": host, "port": port}


def address_of(kind: str, settings: Mapping[str, Any]) -> str:
    """Where it is, in words; of a webhook only the host, for the rest of its URL may be its secret."""
    if kind == WEBHOOK:
        return urlsplit(str(settings["url"])).hostname or ""
    return f"{settings['host']}:{settings['port']}"


def pause(failures: int) -> timedelta:
    """Before a receiver that failed so often in a row is tried again."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(failures, 10)))


def _url(text: str) -> str:
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(text) > LONGEST_URL or not text.isprintable():
        raise BadReceiver("url", "Write a URL that begins with https://, without a user's name.")
    return text


def json_line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def syslog_line(entry: Mapping[str, Any], host: str, words: str) -> bytes:
    """One RFC 5424 message: the entry's fields as structured data, the sentence as text."""
    head = f"<{_FACILITY * 8 + _SEVERITY[entry['result']]}>1 {entry['at'].replace('+00:00', 'Z')}"
    named = f"{_syslog_name(host, 255)} pudim - {_syslog_name(entry['action'], 32)}"
    pairs = ((key, value) for key, value in entry.items() if value is not None and key != "at")
    data = " ".join(f'{key}="{_parameter(value)}"' for key, value in pairs)
    target = f": {entry['target_name']}" if entry["target_name"] else ""
    sentence = f"{entry['actor_name']} {words}{target}"
    return f"{head} {named} [audit@{_ENTERPRISE} {data}] \ufeff{sentence}".encode()


def _syslog_name(text: str, most: int) -> str:
    return re.sub(r"[^!-~]", "_", text)[:most] or "-"


def _parameter(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return re.sub(r'(["\\\]])', r"\\\1", _UNPRINTABLE.sub(" ", text)[:_LONGEST_PARAMETER])
