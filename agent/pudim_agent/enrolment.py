"""How this host becomes known to a collector: one signed request with a single-use token."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from pudim.vocabulary.errors import PudimError
from pudim.wire.enrolment import ENROL_PATH, sign_request, verify_answer
from pudim.wire.keys import SIGNATURE_BYTES, from_text, public_bytes, public_from_bytes, to_text
from pudim.wire.refusals import BY_CODE, Malformed, Refusal
from pudim_agent.config import AgentConfig
from pudim_agent.facts import host_facts
from pudim_agent.identity import Identity, fresh_key, save, write_private
from pudim_agent.pinned import forget
from pudim_agent.stream import tls

CONFIG_FILE = "agent.toml"
_SECONDS = 30.0
_LONGEST_ANSWER = 1 << 16


class CollectorUnreachable(PudimError):
    """The collector does not answer."""

    code = "collector_unreachable"
    retry = True
    hint = "Check the URL, the network and the certificate."


async def enrol(
    config: AgentConfig, token: str, name: str | None = None, config_file: Path | None = None
) -> Identity:
    """Make a key, have it accepted, and keep both in the state directory, or the configuration in `config_file`.

    Raises a Refusal (the collector's reason, or BadSignature when it is not the pinned one) or
    CollectorUnreachable; then nothing is written.
    """
    key = fresh_key()
    collector = public_from_bytes(from_text(config.collector_key))
    request = {
        "token": token,
        "public_key": to_text(public_bytes(key)),
        "proof": to_text(sign_request(token, key, collector)),
        "name": name or os.uname().nodename,
        "facts": host_facts(),
    }
    answer = await _ask(config, request)
    identity = Identity(_agent_id(answer), key)
    signature = from_text(str(answer.get("signature", "")), SIGNATURE_BYTES)
    verify_answer(token, key.public_key(), identity.agent_id, collector, signature)
    keep(config, identity, config_file)
    return identity


def keep(config: AgentConfig, identity: Identity, config_file: Path | None = None) -> None:
    """Write identity and configuration; the identity last, for with it the host counts as enrolled."""
    forget(config.state_dir)
    write_private(config_file or config.state_dir / CONFIG_FILE, config_text(config).encode())
    save(config.state_dir, identity)


def config_text(config: AgentConfig) -> str:
    lines = [f"url = {_quoted(config.url)}", f"collector_key = {_quoted(config.collector_key)}"]
    lines.append(f"state_dir = {_quoted(str(config.state_dir))}")
    if config.interval_ms != AgentConfig.interval_ms:
        lines.append(f"interval_ms = {config.interval_ms}")
    if config.insecure:
        lines.append("insecure = true")
    if config.ca_file:
        lines.append(f"ca_file = {_quoted(str(config.ca_file))}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _ask(config: AgentConfig, request: dict[str, Any]) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    url = config.url.rstrip("/") + ENROL_PATH
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http,
            http.post(url, json=request, ssl=tls(config), allow_redirects=False) as response,
        ):
            content = await response.content.read(_LONGEST_ANSWER)
            return _understood(response.status, content)
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        raise CollectorUnreachable(f"{url}: {type(error).__name__}: {error}") from error


def _understood(status: int, content: bytes) -> dict[str, Any]:
    """The answer's JSON. Raises the Refusal that a problem document names."""
    import json

    try:
        answer = json.loads(content)
    except ValueError as error:
        raise Malformed(f"the collector answered {status} without JSON") from error
    if not isinstance(answer, dict):
        raise Malformed(f"the collector answered {status} with something else than an object")
    if status >= 400:  # noqa: PLR2004 - HTTP's errors
        raise BY_CODE.get(str(answer.get("code")), Refusal)(str(answer.get("detail", f"status {status}")))
    return answer


def _agent_id(answer: dict[str, Any]) -> UUID:
    try:
        return UUID(str(answer.get("agent_id")))
    except ValueError as error:
        raise Malformed("the collector's answer names no agent") from error
