"""`pudim agent ...`: what a person types on a host. The agent itself runs in a slimmer process."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TextIO

import click

from pudim.vocabulary.errors import PudimError
from pudim_agent.config import DEFAULT_CONFIG, DEFAULT_STATE_DIR, AgentConfig, ConfigFaults, load, parse
from pudim_agent.enrolment import CONFIG_FILE
from pudim_agent.policy import DEFAULT_POLICY

TOKEN_VARIABLE = "PUDIM_ENROLMENT_TOKEN"  # noqa: S105 - its name
_LONGEST_TOKEN = 256
_FILE = click.Path(dir_okay=False, path_type=Path)
_SAFE_PATH = "-P" if sys.version_info >= (3, 11) else "-I"
"""No module is taken from the working directory, which may be anybody's when root starts the agent there."""

_state_dir = click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"Where keys and spool are; default {DEFAULT_STATE_DIR}.",
)
_config = click.option(
    "--config",
    "config_path",
    type=_FILE,
    help=f"Default: agent.toml in the state directory, else {DEFAULT_CONFIG}.",
)

_policy = click.option("--policy", "policy_path", type=_FILE, help=f"Default: {DEFAULT_POLICY}.")
_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


class _Failure(click.ClickException):
    """A PudimError as the command line says it."""

    def __init__(self, error: PudimError) -> None:
        super().__init__(f"{error.detail}\n{error.hint}" if error.hint else error.detail)


@click.group()
def agent() -> None:
    """The program that watches this host."""


@agent.command()
@_config
@_state_dir
@click.option(
    "--with-parent", is_flag=True, help="End when standard input does, as when its parent is killed."
)
def run(*, config_path: Path | None, state_dir: Path | None, with_parent: bool) -> None:
    """Watch this host until stopped."""
    path = _path(config_path, state_dir)
    # Another process image: the command line's libraries would stay in memory for as long as the agent runs.
    argv = [sys.executable, _SAFE_PATH, "-m", "pudim_agent", "--config", str(path)]
    os.execv(sys.executable, [*argv, "--with-parent"] if with_parent else argv)  # noqa: S606 - our own, by argv


@agent.command()
@click.option("--url", required=True, help="Where the collector answers.")
@click.option(
    "--token",
    envvar=TOKEN_VARIABLE,
    help=f"The single-use token from the page 'Add server'. Others on this host may read it here: better in {TOKEN_VARIABLE}.",
)
@click.option(
    "--token-file", type=click.File("r", encoding="utf-8"), help="A file with the token; - is standard input."
)
@click.option("--collector-key", required=True, help="The collector's public key, from the same page.")
@click.option("--name", help="How the server is called; default its host name.")
@click.option("--interval-ms", type=int, help="Time between samples, if not ten seconds.")
@click.option("--insecure", is_flag=True, help="Allow http:// to another host.")
@click.option("--ca-file", type=_FILE, help="Certificates to trust instead of the system's.")
@click.option(
    "--config",
    "config_path",
    type=_FILE,
    help="Where the configuration is written; default agent.toml in the state directory.",
)
@_state_dir
def enrol(
    *,
    url: str,
    token: str | None,
    token_file: TextIO | None,
    collector_key: str,
    name: str | None,
    interval_ms: int | None,
    insecure: bool,
    ca_file: Path | None,
    config_path: Path | None,
    state_dir: Path | None,
) -> None:
    """Make this host known to a collector."""
    from pudim_agent import enrolment

    single_use = token_file.read(_LONGEST_TOKEN).strip() if token_file else token
    if not single_use:
        raise click.UsageError(f"No token: give --token-file, {TOKEN_VARIABLE} or --token.")
    where = (state_dir or DEFAULT_STATE_DIR).absolute()
    config = AgentConfig(
        url=url,
        collector_key=collector_key,
        state_dir=where,
        interval_ms=interval_ms or AgentConfig.interval_ms,
        insecure=insecure,
        ca_file=ca_file.absolute() if ca_file else None,
    )
    try:
        checked = parse(enrolment.config_text(config))
        identity = asyncio.run(enrolment.enrol(checked, single_use, name, config_path))
    except PudimError as error:
        raise _Failure(error) from error
    start = f"--config {config_path}" if config_path else f"--state-dir {where}"
    click.echo(f"Enrolled as {identity.agent_id}. Start with: pudim agent run {start}")


@agent.command()
@_config
@_state_dir
@_json
def status(*, config_path: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Say whether the agent runs and is connected, what it costs and how much waits for the collector.

    Ends with status 0 when it runs, else with 3.
    """
    from pudim_agent import footprint

    report = footprint.report(_load(config_path, state_dir))
    click.echo(_document(report) if as_json else footprint.table(report))
    sys.exit(0 if report["running"] else 3)  # as systemctl: 3 is "not running"


@agent.command()
@_config
@_state_dir
@_policy
@_json
def doctor(
    *, config_path: Path | None, state_dir: Path | None, policy_path: Path | None, as_json: bool
) -> None:
    """Check this host and each step of the way to the collector, and say what to do.

    As root it looks with the rights of the agent's own account. Ends with status 1 when something is wrong.
    """
    from pudim_agent import footprint
    from pudim_agent.diagnosis import Finding, Patient, findings

    path = _path(config_path, state_dir)
    try:
        config = load(path)
    except ConfigFaults as faults:
        found = [Finding("configuration", False, f"{path}: {faults.detail}", faults.hint)]
    else:
        footprint.take_rights_of(config.state_dir)
        patient = Patient(config, policy_path or DEFAULT_POLICY)
        found = [Finding("configuration", True, str(path)), *asyncio.run(findings(patient))]
    if as_json:
        click.echo(_document([vars(one) for one in found]))
    for one in [] if as_json else found:
        mark = "-   " if one.fine is None else "ok  " if one.fine else "FAIL"
        click.echo(f"{mark} {one.subject}: {one.said}" + (f"\n     {one.fix}" if one.fix else ""))
    sys.exit(1 if any(one.fine is False for one in found) else 0)


def _document(found: object) -> str:
    import json

    return json.dumps(found, indent=1)


def _path(config_path: Path | None, state_dir: Path | None) -> Path:
    if config_path is not None:
        return config_path
    enrolled = (state_dir or DEFAULT_STATE_DIR) / CONFIG_FILE
    return enrolled if state_dir or enrolled.exists() else DEFAULT_CONFIG


def _load(config_path: Path | None, state_dir: Path | None) -> AgentConfig:
    try:
        return load(_path(config_path, state_dir))
    except PudimError as error:
        raise _Failure(error) from error
