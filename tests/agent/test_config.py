"""A configuration is right, or refused with every fault named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pudim_agent.config import ConfigFaults, load, parse
from pudim_agent.enrolment import config_text
from pudim_agent.samplers import samplers
from pudim_agent.samplers.network import NetworkConfig
from pudim_agent.samplers.process import ProcessConfig

KEY = "A" * 43
RIGHT = f'url = "https://pudim.example.org"\ncollector_key = "{KEY}"\n'


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigFaults) as caught:
        parse(text)
    return list(caught.value.faults)


def test_the_least_that_is_needed() -> None:
    config = parse(RIGHT)
    assert config.interval_ms == 10_000
    assert config.state_dir == Path("/var/lib/pudim-agent")
    assert config.spool.max_mebibytes == 64
    assert config.samplers.keys() == samplers.keys()
    assert config.samplers["network"] == NetworkConfig(skip=("lo", "veth*", "ifb*", "dummy*"))


def test_everything() -> None:
    config = parse(
        RIGHT
        + """
        interval_ms = 100
        state_dir = "/srv/agent"
        insecure = true
        ca_file = "/etc/ca.pem"
        [spool]
        max_mebibytes = 8
        max_hours = 1
        [samplers.process]
        top = 3
        [samplers.network]
        skip = ["lo", "docker*"]
        [samplers.pressure]
        enabled = false
        """
    )
    assert config.ca_file == Path("/etc/ca.pem")
    assert config.samplers["process"] == ProcessConfig(top=3)
    assert config.samplers["network"] == NetworkConfig(skip=("lo", "docker*"))
    assert not config.samplers["pressure"].enabled


def test_every_fault_is_reported_at_once() -> None:
    found = faults(
        """
        url = "gopher://x"
        colector_key = "x"
        interval_ms = 99
        insecure = "yes"
        [spool]
        max_mebibytes = 0
        max_hour = 3
        [samplers.proces]
        [samplers.process]
        top = true
        [samplers.network]
        skip = "lo"
        """
    )
    assert found == [
        "line 3: colector_key: unknown; did you mean 'collector_key'?",
        "line 4: interval_ms: must be from 100 to 3600000, not 99",
        "line 5: insecure: must be true or false, not 'yes'",
        "line 7: spool.max_mebibytes: must be from 1 to any size, not 0",
        "line 8: spool.max_hour: unknown; did you mean 'max_hours'?",
        "line 9: samplers.proces: unknown; did you mean 'process'?",
        "line 11: samplers.process.top: must be a whole number, not True",
        "line 13: samplers.network.skip: must be a list of texts, not 'lo'",
        "collector_key: missing. The collector's public key, from the install line.",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("interval_ms = 1", 3),
        ("# a comment = [\n\ninterval_ms = 1", 5),
        ("[spool]\n[samplers.network]\nskip = [\n 'interval_ms = 3', # ]\n]\nenabled = 3", 8),
        ("spool = { max_hours = 0 }", 3),
        ("\nspool.max_hours = 0", 4),
        ('"interval_ms" = 1', 3),
        ("[\"spool\"]\n'max_hours' = 0", 4),
    ],
)
def test_a_fault_names_its_line(text: str, line: int) -> None:
    (found,) = faults(RIGHT + text)
    assert found.startswith(f"line {line}: ")


def test_text_that_is_not_toml_is_placed_too() -> None:
    (found,) = faults(RIGHT + "\n\nspool = = 3")
    assert "line 5" in found


BEFORE = [
    "",
    "# x = [",
    'n = """\nmax_hour = 7\n"""',
    "q = '[spool'",
    "a.b = {c = 1}",
    "t = [\n1,\n2, # ]\n]",
]


@given(st.lists(st.sampled_from(BEFORE), max_size=len(BEFORE), unique=True))
def test_the_line_is_right_whatever_comes_before(before: list[str]) -> None:
    text = "\n".join([*before, "[spool]", "max_hour = 1"])
    fault = f"line {text.count(chr(10)) + 1}: spool.max_hour: unknown; did you mean 'max_hours'?"
    assert fault in faults(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("url = ", "not TOML"),
        (RIGHT.replace(KEY, "short"), "collector_key: is not a key"),
        (RIGHT.replace("https://pudim.example.org", "http://pudim.example.org"), "is not encrypted"),
        (RIGHT.replace("https://pudim.example.org", "http://10.0.0.1"), "is not encrypted"),
        (RIGHT.replace("https://pudim.example.org", "https://"), "must start with https://"),
        (RIGHT + "spool = 3", "spool: must be a table"),
        (RIGHT + "samplers = 3", "samplers: must be a table"),
        (RIGHT + "samplers.cpu = 3", "samplers.cpu: must be a table"),
        (RIGHT + "interval_ms = 1.5", "interval_ms: must be a whole number"),
        (RIGHT + 'state_dir = ""', "state_dir: must be a path"),
    ],
)
def test_fault(text: str, fault: str) -> None:
    assert fault in faults(text)[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80"])
def test_plain_http_on_this_host_is_fine(url: str) -> None:
    assert parse(RIGHT.replace("https://pudim.example.org", url)).url == url


def test_the_state_is_beside_an_enrolled_configuration(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(RIGHT)
    assert load(path).state_dir == tmp_path


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigFaults, match="No such file"):
        load(tmp_path / "agent.toml")


def test_what_enrolment_writes_reads_back(tmp_path: Path) -> None:
    config = parse(RIGHT + f'interval_ms = 500\ninsecure = true\nstate_dir = "{tmp_path}/a\\"b\\\\c"\n')
    assert parse(config_text(config)) == config
