"""The agent's TOML file as frozen dataclasses. A file with faults is refused with all of them at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from pudim.vocabulary.errors import PudimError
from pudim.wire.keys import BadKey, from_text
from pudim_agent.checks import ChecksConfig
from pudim_agent.samplers import SamplerConfig, samplers
from pudim_agent.tables import lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_CONFIG = Path("/etc/pudim/agent.toml")
DEFAULT_STATE_DIR = Path("/var/lib/pudim-agent")
T = TypeVar("T")


class ConfigFaults(PudimError):
    """The agent's configuration cannot be used."""

    code = "config_faults"
    hint = "Correct the file; nothing was started."

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


@dataclass(frozen=True)
class SpoolConfig:
    max_mebibytes: int = field(
        default=64, metadata={"help": "Disk space for what the collector has not taken yet.", "low": 1}
    )
    max_hours: float = field(default=72.0, metadata={"help": "Older frames are given up.", "low": 0.01})


@dataclass(frozen=True)
class AgentConfig:
    url: str = field(metadata={"help": "Where the collector answers, such as https://pudim.example.org."})
    collector_key: str = field(metadata={"help": "The collector's public key, from the install line."})
    state_dir: Path = field(
        default=DEFAULT_STATE_DIR, metadata={"help": "Keys and spool; private to the agent's user."}
    )
    interval_ms: int = field(
        default=10_000, metadata={"help": "Time between samples.", "low": 100, "high": 3_600_000}
    )
    insecure: bool = field(
        default=False,
        metadata={"help": "Allow http:// to another host. Values are then readable on the way."},
    )
    ca_file: Path | None = field(
        default=None, metadata={"help": "Certificates to trust instead of the system's."}
    )
    spool: SpoolConfig = field(default_factory=SpoolConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    samplers: Mapping[str, SamplerConfig] = field(default_factory=dict)


def load(path: Path) -> AgentConfig:
    """Raises ConfigFaults."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFaults([f"{path}: {error}"]) from error
    return parse(text, state_dir=path.parent if path.parent != DEFAULT_CONFIG.parent else None)


def parse(text: str, state_dir: Path | None = None) -> AgentConfig:
    """`state_dir` is where the state is unless the text says otherwise. Raises ConfigFaults."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigFaults([f"not TOML: {error}"]) from error
    faults: list[str] = []
    if state_dir is not None:
        table.setdefault("state_dir", str(state_dir))
    table["spool"] = _record(SpoolConfig, table.get("spool", {}), "spool.", faults)
    table["checks"] = _record(ChecksConfig, table.get("checks", {}), "checks.", faults)
    table["samplers"] = _samplers(table.get("samplers", {}), faults)
    config = _record(AgentConfig, table, "", faults)
    if config is not None:
        faults.extend(_unsafe(config))
        faults.extend(f"checks.{one}" for one in config.checks.faults())
    if faults or config is None:
        raise ConfigFaults(_placed(faults, text))
    return config


def _placed(faults: Iterable[str], text: str) -> list[str]:
    """Each fault with the line that its key stands in, in the order of the file; what is missing comes last."""
    known = {".".join(path): line for path, line in lines(text).items()}
    found: list[tuple[float, str]] = []
    for fault in faults:
        named = max((name for name in known if fault.startswith(_begun(name))), key=len, default="")
        line = known.get(named)
        found.append((float("inf"), fault) if line is None else (line, f"line {line}: {fault}"))
    return [fault for _, fault in sorted(found)]


def _begun(name: str) -> tuple[str, ...]:
    """How a fault of this key begins, or of one within it that has no line of its own."""
    return f"{name}:", f"{name}[", f"{name}."


def _samplers(table: Any, faults: list[str]) -> Mapping[str, SamplerConfig]:
    if not isinstance(table, dict):
        faults.append("samplers: must be a table")
        return {}
    faults.extend(_unknown(f"samplers.{name}", name, samplers) for name in table.keys() - samplers.keys())
    found: dict[str, SamplerConfig] = {}
    for name, sampler in samplers.items():
        record = _record(sampler.Config, table.get(name, {}), f"samplers.{name}.", faults)
        if record is not None:
            found[name] = record
            faults.extend(f"samplers.{name}.{one}" for one in record.faults())
    return found


def _record(kind: type[T], table: Any, prefix: str, faults: list[str]) -> T | None:
    """`table` as a `kind`, or None with what is wrong appended to `faults`."""
    if not isinstance(table, dict):
        faults.append(f"{prefix[:-1]}: must be a table")
        return None
    before = len(faults)
    known: dict[str, Field[Any]] = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    types = get_type_hints(kind)
    faults.extend(_unknown(f"{prefix}{name}", name, known) for name in table.keys() - known.keys())
    values: dict[str, Any] = {}
    for name, one in known.items():
        if name in table:
            values[name] = _value(f"{prefix}{name}", one, types[name], table[name], faults)
        elif one.default is MISSING and one.default_factory is MISSING:
            faults.append(f"{prefix}{name}: missing. {one.metadata.get('help', '')}")
    return kind(**values) if len(faults) == before else None


def _value(name: str, one: Field[Any], kind: Any, value: Any, faults: list[str]) -> Any:
    inner = next(iter(get_args(kind)), None)
    if get_origin(kind) is tuple and isinstance(inner, type) and is_dataclass(inner):
        return _records(inner, value, name, faults)
    for wanted, accepts, said in _KINDS:
        if wanted == kind:
            if not accepts(value):
                faults.append(f"{name}: must be {said}, not {value!r}")
                return value
            break
    else:
        return value  # a nested record, already checked
    low, high = one.metadata.get("low"), one.metadata.get("high")
    if (low is not None and value < low) or (high is not None and value > high):
        faults.append(
            f"{name}: must be from {low} to {high if high is not None else 'any size'}, not {value}"
        )
    if kind in (Path, Path | None):
        return Path(value)
    return tuple(value) if kind in (tuple[str, ...], tuple[float, ...]) else value


def _records(kind: type, value: Any, name: str, faults: list[str]) -> tuple[Any, ...]:
    """A list of tables, `[[name]]` in TOML."""
    if not isinstance(value, list):
        faults.append(f"{name}: must be a list of tables, [[{name}]]")
        return ()
    return tuple(_record(kind, table, f"{name}[{number}].", faults) for number, table in enumerate(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_KINDS: tuple[tuple[Any, Any, str], ...] = (
    (bool, lambda value: isinstance(value, bool), "true or false"),
    (int, lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    (float, _is_number, "a number"),
    (str, _is_text, "a text"),
    (Path, _is_text, "a path"),
    (Path | None, _is_text, "a path"),
    (tuple[str, ...], lambda value: isinstance(value, list) and all(map(_is_text, value)), "a list of texts"),
    (
        tuple[float, ...],
        lambda value: isinstance(value, list) and all(map(_is_number, value)),
        "a list of numbers",
    ),
    (
        Mapping[str, str],
        lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
        "a table of texts",
    ),
)


def _unknown(path: str, name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 1)
    return f"{path}: unknown" + (f"; did you mean {close[0]!r}?" if close else "")


def _unsafe(config: AgentConfig) -> Iterable[str]:
    parts = urlsplit(config.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield f"url: must start with https:// (or http:// on this host), not {config.url!r}"
    elif parts.scheme == "http" and not config.insecure and not _is_loopback(parts.hostname):
        yield f"url: {config.url!r} is not encrypted; use https:// or set insecure = true"
    try:
        from_text(config.collector_key)
    except BadKey:
        yield "collector_key: is not a key; copy it from the collector's page 'Add server'"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
