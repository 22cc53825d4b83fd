"""A check that is made through the API is run by the agent of `pudim up`, and what it found can be read and charted."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.running import PATIENCE, RunningPudim, free_port

pytestmark = pytest.mark.processes


def until(found: Callable[[], Any]) -> Any:
    """The first answer that is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.2)
    raise AssertionError("it did not come")


def test_a_check_from_the_api_to_its_results(tmp_path: Path) -> None:
    with RunningPudim(tmp_path / "data") as pudim:
        (server,) = until(lambda: pudim.call("/api/v2/servers")["items"])
        path = f"/api/v2/servers/{server['id']}/checks"
        web = {"url": f"http://127.0.0.1:{pudim.port}/healthz", "statuses": ["200"]}
        wanted = {
            "Pudim itself": ("http", web, "up"),
            "A closed port": ("tcp", {"host": "127.0.0.1", "port": free_port()}, "down"),
            "Metadata": ("http", {"url": "http://169.254.169.254/"}, "unknown"),
        }
        for name, (kind, settings, _) in wanted.items():
            pudim.call(path, {"name": name, "kind": kind, "settings": settings, "interval": 5, "timeout": 3})

        def known() -> dict[str, Any] | None:
            items = {one["name"]: one for one in pudim.call(path)["items"]}
            return items if all(one["at"] for one in items.values()) else None

        found = until(known)
        assert {name: one["status"] for name, one in found.items()} == {
            name: status for name, (_, _, status) in wanted.items()
        }
        assert found["Metadata"]["code"] == "address_refused"

        def charted() -> list[float]:
            question = f"/api/v2/series?metric=pudim.check.up&server={server['id']}&from=-10m"
            return sorted(
                value for one in pudim.call(question)["series"] for value in one["avg"] if value is not None
            )

        values = until(lambda: sorted({0.0, 1.0} & set(charted())) == [0.0, 1.0] and charted())
        assert set(values) == {0.0, 1.0}
