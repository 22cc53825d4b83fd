"""What container runtimes say of their containers: names, images, states, health. Docker's Engine API, which Podman speaks too."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from pudim.deadlines import within
from pudim_agent.text import printable
from pudim_agent.unix_http import BadAnswer, UnixServer, connect

_PATIENCE = 10.0
_LIST_BYTES, _ONE_BYTES = 4 << 20, 1 << 20
_MOST_LISTED = 1000
_LOOKS = 64  # at single containers in one round; the others have their turn in the next
_LONGEST = 256
_ID = re.compile(r"[0-9a-f]{64}")
_STATES = frozenset(
    (
        "created",
        "running",
        "paused",
        "restarting",
        "removing",
        "exited",
        "dead",
        "configured",
        "stopped",
        "initialized",
    )
)
_HEALTH = frozenset(("healthy", "unhealthy", "starting"))
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Known:
    """`group` is the control group it had when it was looked at; another one says that it was started again."""

    id: str
    name: str
    image: str
    runtime: str
    state: str
    status: str = ""
    health: str | None = None
    restarts: int | None = None
    started_ms: int | None = None
    group: int | None = None
    looked: bool = False


class Runtime:
    """One socket. What it says is believed of its own containers only: a user's, of those of that user."""

    def __init__(self, path: str, owner: int | None = None) -> None:
        self.path, self.owner = path, owner
        self.kind = ""
        self.known: dict[str, Known] = {}

    async def look(self, groups: Mapping[str, int]) -> None:
        """Ask once. `groups` are the control groups of the containers that run. Raises OSError, ValueError, TimeoutError."""
        async with within(_PATIENCE):
            await self._look(groups)

    def forget_all_but(self, running: Container[str]) -> None:
        """It does not answer, so what does not run may be anything by now."""
        self.known = {id_: one for id_, one in self.known.items() if id_ in running}

    async def _look(self, groups: Mapping[str, int]) -> None:
        server = await connect(self.path, self.owner)
        try:
            if not self.kind:
                self.kind = _kind(await _get(server, "/version", _ONE_BYTES))
            listed = await _get(server, "/containers/json?all=1", _LIST_BYTES)
            if not isinstance(listed, list):
                raise BadAnswer("no list of containers")
            fresh = dict(self._listed(listed))
            for one in self._to_look_at(fresh, groups):
                detail = await _get(server, f"/containers/{one.id}/json", _ONE_BYTES)
                fresh[one.id] = _detailed(one, detail, groups.get(one.id))
            self.known = fresh
        finally:
            server.close()

    def _listed(self, listed: list[Any]) -> Iterable[tuple[str, Known]]:
        for one in listed[:_MOST_LISTED]:
            if isinstance(one, dict) and isinstance(one.get("Id"), str) and _ID.fullmatch(one["Id"]):
                known = _summary(one, self.kind)
                before = self.known.get(known.id)
                if before and before.looked:
                    known = replace(
                        before, name=known.name, image=known.image, state=known.state, status=known.status,
                        looked=(before.state, before.status) == (known.state, known.status),
                    )  # fmt: skip
                yield known.id, known

    def _to_look_at(self, fresh: Mapping[str, Known], groups: Mapping[str, int]) -> list[Known]:
        """Those that changed since, and those whose health may: Podman's list does not tell it."""
        changed = [one for one in fresh.values() if not one.looked or one.group != groups.get(one.id)]
        watched = [one for one in fresh.values() if one.looked and one.health and one.state == "running"]
        found = {one.id: one for one in (*changed, *watched)}
        return list(found.values())[:_LOOKS]


async def _get(server: UnixServer, target: str, most: int) -> Any:
    """None when there is no such thing, as of a container that was just removed."""
    import json

    status, body = await server.get(target, most)
    if status != 200:  # noqa: PLR2004
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("no JSON") from error


def _kind(version: Any) -> str:
    """Podman may answer on Docker's socket."""
    parts = version.get("Components") if isinstance(version, dict) else None
    names = [one.get("Name") for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
    return "podman" if any("podman" in str(name).lower() for name in names) else "docker"


def _summary(one: Mapping[str, Any], kind: str) -> Known:
    names = one.get("Names")
    name = names[0] if isinstance(names, list) and names else one["Id"][:12]
    state = _text(one.get("State")).lower()
    return Known(
        id=one["Id"],
        name=_text(name).removeprefix("/"),
        image=_text(one.get("Image")),
        runtime=kind,
        state=state if state in _STATES else "unknown",
        status=_lasting(_text(one.get("Status"))),
    )


def _detailed(one: Known, detail: Any, group: int | None) -> Known:
    state = detail.get("State") if isinstance(detail, dict) else None
    if not isinstance(state, dict):
        return one
    health = state.get("Health") or state.get("Healthcheck")
    said = _text(health.get("Status")).lower() if isinstance(health, dict) else ""
    restarts = detail.get("RestartCount")
    return replace(
        one,
        health=said if said in _HEALTH else None,
        restarts=restarts if isinstance(restarts, int) and 0 <= restarts < 1 << 31 else None,
        started_ms=unix_ms(state.get("StartedAt")),
        group=group,
        looked=True,
    )


def _lasting(status: str) -> str:
    """`Up 3 minutes (healthy)` without the time, which always changes."""
    return status[status.find("(") :] if "(" in status else ""


def _text(value: Any) -> str:
    return printable(value.encode(errors="replace"), _LONGEST) if isinstance(value, str) and value else ""


def unix_ms(text: Any) -> int | None:
    """RFC 3339 with up to nine digits of a second, as Go writes; its zero time, the year 1, is none."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        zone = match[3].replace("Z", "+00:00")
        seconds = datetime.fromisoformat(match[1] + zone).astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):
        return None
    return int(seconds * 1000) + int(float(match[2] or 0) * 1000) if seconds > 0 else None


def image_name(image: str) -> str:
    """Without tag and digest: a container that is deployed anew goes on as the same series."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return folder + slash + last.partition(":")[0]
