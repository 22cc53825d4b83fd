"""What the agent running on this host costs and how its link is, as seen from outside by `pudim agent status`."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import to_text
from pudim_agent import pinned, status
from pudim_agent.clock import SystemClock
from pudim_agent.config import AgentConfig
from pudim_agent.loop import PID_FILE


class Footprint(NamedTuple):
    pid: int
    resident_mebibytes: float
    cpu_percent: float
    started: datetime


def running_agent(state_dir: Path) -> Footprint | None:
    """The agent whose state is in `state_dir`, None when it does not run."""
    try:
        process = psutil.Process(int((state_dir / PID_FILE).read_text()))
        with process.oneshot():
            if "pudim_agent" not in process.cmdline():
                return None  # the number was given to another program
            used, begun = process.cpu_times(), process.create_time()
            age = SystemClock().now().wall_ms / 1000 - begun
            return Footprint(
                process.pid,
                process.memory_info().rss / 2**20,
                100 * (used.user + used.system) / max(age, 0.01),
                datetime.fromtimestamp(begun, timezone.utc),
            )
    except (OSError, ValueError, psutil.Error):
        return None


def report(config: AgentConfig) -> dict[str, Any]:
    """What is known from outside; None stands for what is not. Times are ISO 8601 in UTC."""
    found, said = running_agent(config.state_dir), status.read(config.state_dir)
    own = said if said and found and said.pid == found.pid else None
    waiting = sum(one.stat().st_size for one in (config.state_dir / "spool").glob("*.spool"))
    return {
        "collector": config.url,
        **_keys(config),
        "running": found is not None,
        "process": found.pid if found else None,
        "resident_mebibytes": round(found.resident_mebibytes, 1) if found else None,
        "cpu_percent": round(found.cpu_percent, 2) if found else None,
        "started_at": found.started.isoformat(timespec="seconds") if found else None,
        "release": own.release if own else None,
        "connected": own.connected if own else None,
        "connected_at": _iso(own.connected_at if own else None),
        "acknowledged_at": _iso(said.acknowledged_at if said else None),
        "batches_waiting": own.waiting if own else None,
        "batches_lost": own.lost if own else None,
        "spool_mebibytes": round(waiting / 2**20, 1),
        "spool_limit_mebibytes": config.spool.max_mebibytes,
    }


def _keys(config: AgentConfig) -> dict[str, str | int | None]:
    try:
        pin = pinned.load(config.state_dir, config.collector_key)
    except PudimError:  # it is the agent's own, and `doctor` says what is wrong with it
        return {"collector_key": None, "collector_key_changes": None, "collector_key_successor": None}
    waiting = to_text(pin.successor.key) if pin.successor else None
    return {
        "collector_key": to_text(pin.key),
        "collector_key_changes": pin.epoch,
        "collector_key_successor": waiting,
    }


def _iso(wall_ms: int | None) -> str | None:
    if wall_ms is None:
        return None
    return datetime.fromtimestamp(wall_ms / 1000, timezone.utc).isoformat(timespec="seconds")


def table(found: Mapping[str, Any]) -> str:
    lines = [f"collector  {found['collector']}", f"its key    {found['collector_key'] or 'not known'}"]
    if found["collector_key_successor"]:
        lines.append(f"next key   {found['collector_key_successor']} waits")
    if found["running"]:
        lines.append(
            f"agent      process {found['process']}, {found['resident_mebibytes']} MiB, "
            f"{found['cpu_percent']} % of a core since {found['started_at']}"
        )
        lines.append(f"link       {_link(found)}")
    else:
        lines.append("agent      not running")
    lines.append(f"last ack   {found['acknowledged_at'] or 'not known'}")
    spool = f"spool      {found['spool_mebibytes']} of {found['spool_limit_mebibytes']} MiB"
    if found["batches_waiting"] is not None:
        spool += f", {found['batches_waiting']} batches wait, {found['batches_lost']} were lost"
    return "\n".join([*lines, spool])


def _link(found: Mapping[str, Any]) -> str:
    if found["connected"] is None:
        return "not known"
    return f"connected since {found['connected_at']}" if found["connected"] else "not connected"


def take_rights_of(state_dir: Path) -> None:
    """As root, become the account that the agent runs under: what root can reach says nothing of what that can."""
    try:
        owner = pwd.getpwuid(state_dir.stat().st_uid)
    except (OSError, KeyError):
        return
    if os.geteuid() == 0 and owner.pw_uid != 0:
        os.initgroups(owner.pw_name, owner.pw_gid)
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
