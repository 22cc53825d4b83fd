"""OTLP's attributes: any value as a short text, and what a resource says of where its metrics belong."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from pudim_collector.ingest.outside.labels import MAX_SERVER_NAME, checked_labels, checked_name
from pudim_collector.ingest.outside.samples import Target

SOURCE = "otlp"
_HOST_KEYS = ("host.name", "host.id")
_SERVICE_KEYS = ("service.namespace", "service.name")
_DESCRIPTIVE = (
    *("telemetry.", "host.", "os.", "cloud.", "service.version"),
    *(
        "process.runtime.",
        "process.command",
        "process.owner",
        "process.executable.path",
        "process.parent_pid",
    ),
)
"""Say more about a thing that other attributes name; as labels they would begin new series with each update."""
_OF_A_SERVICE = ("process.",)
"""Name a process only where no service does: a service's process is another one after each restart."""


def text_of(value: Any) -> str:
    """A text as it is, anything else in JSON."""
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return ""
        case "array_value":
            return [_plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {one.key: _plain(one.value) for one in value.kvlist_value.values}
        case "bytes_value":
            return b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def target_of(resource: Any, scope: Any) -> Target:
    """Raises a PartRefusal when the resource's or scope's attributes cannot be kept."""
    attributes = {one.key: text_of(one.value) for one in resource.attributes}
    host = next((attributes[key] for key in _HOST_KEYS if attributes.get(key)), "")
    service = "/".join(filter(None, (attributes.get(key) for key in _SERVICE_KEYS)))
    made_of = "host.name" if host else "service.name" if service else ""
    name = host or service
    if name:
        checked_name(name, "server", MAX_SERVER_NAME)
    hidden = _DESCRIPTIVE + (_OF_A_SERVICE if service else ())
    kept = [(key, value) for key, value in attributes.items() if not key.startswith(hidden)]
    if scope.name:
        kept.append(("otel.scope.name", scope.name))
    kept += [(f"otel.scope.{one.key}", text_of(one.value)) for one in scope.attributes]
    return Target(SOURCE, host, name, made_of, checked_labels(kept))
