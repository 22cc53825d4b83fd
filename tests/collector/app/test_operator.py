"""What the operator's own tools get: a link that leads to the running Pudim, figures that a scraper can read."""

import asyncio
import os
import sys
from pathlib import Path

from tests.collector.app.site import Site


async def test_the_setup_link_leads_to_where_pudim_listens(empty_database: str, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pudim.cli", "admin", "setup-link"),
        *("--data-dir", str(tmp_path), "--host", "::", "--port", "9000"),
        env=os.environ | {"PUDIM_DATABASE_URL": empty_database},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert said.decode().startswith("http://127.0.0.1:9000/setup/")


async def test_figures_have_a_type_that_scrapers_know(site: Site) -> None:
    async with site.client(token="") as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
