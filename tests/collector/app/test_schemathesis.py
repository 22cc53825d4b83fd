"""Schemathesis against a whole collector: no request that the API's description allows, or nearly allows, makes it fail."""

import asyncio
import re
import sys
from pathlib import Path

import pytest

from tests.collector.app.site import Site, report

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
EXAMPLES = "10"
WOULD_END_IT = (
    "delete_team",
    "hand_team_over",
    "leave_team",
    "revoke_token",
    "renew_token",
    "set_team_addresses",
    "set_token_addresses",
)
"""Operations after which the token that asks is good for nothing more."""


@pytest.mark.processes
async def test_no_request_fails_or_is_answered_by_what_is_not_described(site: Site, tmp_path: Path) -> None:
    agent = await site.enrol()
    await report(agent)
    (tmp_path / "schemathesis.toml").write_text(f'[parameters]\n"path.server_id" = "{agent.agent_id}"\n')
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{site.url}/api/v2/openapi.json"),
        *("--header", f"Authorization: Bearer {site.token}", "--checks", CHECKS, "--seed", "1"),
        *("--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--continue-on-failure"),
        *("--generation-database", "none", "--no-color", "--workers", "2"),
        *(part for name in WOULD_END_IT for part in ("--exclude-operation-id", name)),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    said = output.decode(errors="replace")
    assert process.returncode == 0, said[-20_000:]
    tested = re.search(r"Tested: +([0-9]+)", said)
    assert tested, said[-20_000:]
    assert int(tested[1]) > 50
    assert (await site.get("/api/v2/token"))["permissions"], "the token was lost on the way"
