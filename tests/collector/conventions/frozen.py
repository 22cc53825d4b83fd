"""The OpenAPI document as the program makes it, and the copy of it that is kept in docs/reference.

`python -m tests.collector.conventions.frozen` writes the copy anew; a test fails while they differ.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from pudim.wire import keys
from pudim_collector.app.factory import web_application
from pudim_collector.app.runtime import Runtime
from pudim_collector.app.settings import Settings
from pudim_collector.infra.database import database
from pudim_collector.kernel.clock import SystemClock

FROZEN = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"
COMMAND = ".venv/bin/python -m tests.collector.conventions.frozen"


def document_of(runtime: Runtime) -> dict[str, Any]:
    return web_application(runtime).openapi_schema.to_schema()


def written(document: dict[str, Any]) -> str:
    """In one form, so that a change of it is a small difference."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings, key = Settings(Path(folder), port=0), keys.private_from_bytes(b"c" * 32)
        runtime = Runtime.assemble(settings, key, database, SystemClock())
        FROZEN.write_text(written(document_of(runtime)), encoding="utf-8")
        runtime.accounts.close()


if __name__ == "__main__":
    main()
