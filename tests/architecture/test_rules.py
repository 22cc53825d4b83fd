"""The conventions hold over the whole repository, and every one of them is able to fail."""

from __future__ import annotations

import pytest

from tests.architecture import rules
from tests.architecture.codebase import Module, modules, texts
from tests.architecture.rules import EXCEPTIONS, RULES, Rule

BY_NAME = {rule.name: rule for rule in RULES}
COLLECTOR = "collector/pudim_collector/features/metrics/service.py"


def complaint(instead: str, offences: list[str]) -> str:
    return "\n".join([instead, *offences])


@pytest.mark.parametrize("rule", RULES, ids=list(BY_NAME))
def test_convention(rule: Rule) -> None:
    offences = [
        one
        for module in modules()
        if (rule.name, module.path) not in EXCEPTIONS
        for one in rule.offences(module)
    ]
    assert not offences, complaint(rule.instead, offences)


@pytest.mark.parametrize(("name", "path"), EXCEPTIONS, ids=lambda value: str(value).rpartition("/")[2])
def test_an_exception_is_still_needed(name: str, path: str) -> None:
    (module,) = [one for one in modules() if one.path == path] or [Module(path, "")]
    assert BY_NAME[name].offences(module), f"take ({name!r}, {path!r}) out of EXCEPTIONS"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clock", "from datetime import datetime\ndatetime.now()"),
        ("clock", "import datetime as dt\ndt.datetime.utcnow()"),
        ("clock", "import time\nsince = field(default_factory=time.time)"),
        ("clock", "from time import time_ns as clock\nclock()"),
        ("environment", "import os\nos.environ['HOME']"),
        ("environment", "from os import getenv\ngetenv('HOME')"),
        ("tasks", "import asyncio\nasyncio.create_task(work())"),
        ("tasks", "import asyncio\nasyncio.get_running_loop().create_task(work())"),
        ("tasks", "from asyncio import ensure_future\nensure_future(work())"),
        ("tasks", "loop.create_task(work())"),
        ("shell", "import subprocess\nsubprocess.run(f'ls {name}', shell=True)"),
        ("shell", "import subprocess as s\ns.Popen(line, shell=wanted)"),
        ("shell", "import os\nos.system('reboot')"),
        ("shell", "import asyncio\nasyncio.create_subprocess_shell('ls')"),
        ("outbound", "import httpx"),
        ("outbound", "from urllib import request"),
        ("outbound", "import urllib.request"),
        ("outbound", "def late():\n    from http.client import HTTPConnection"),
        ("outbound", "import asyncio\nasyncio.open_connection(host, 80)"),
        ("outbound", "from socket import create_connection\ncreate_connection((host, 80))"),
        ("outbound", "from pudim.checks.http_client import ask"),
        ("mail", "import smtplib"),
        ("mail", "from aiosmtplib import send"),
        ("features", "from pudim_collector.features.servers.schemas import Server"),
        ("features", "from pudim_collector.features.servers import queries"),
        ("sentence", "import os"),
        ("sentence", '"""Settings"""'),
        ("sentence", ""),
        ("names", "class TokenManager: ..."),
        ("names", "class RequestHelper: ..."),
    ],
)
def test_a_convention_can_fail(name: str, text: str) -> None:
    assert BY_NAME[name].offences(Module(COLLECTOR, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clock", "from time import monotonic\nmonotonic()"),
        ("clock", "def due(now): return now.time()"),
        ("environment", "from pudim_collector.app.settings import Settings"),
        (
            "tasks",
            "import asyncio\nasync def f():\n    async with asyncio.TaskGroup() as group:\n        group.create_task(work())",
        ),
        ("shell", "import subprocess\nsubprocess.run(['ls', name], shell=False)"),
        ("outbound", "from urllib.parse import urlsplit\nfrom http import HTTPStatus"),
        ("features", "from pudim_collector.features.servers.service import Servers"),
        ("features", "from pudim_collector.features.metrics.schemas import LatestSample"),
        ("sentence", '"""Reads settings from the environment, once."""'),
        ("names", "class Supervisor: ..."),
    ],
)
def test_what_a_convention_allows(name: str, text: str) -> None:
    assert not BY_NAME[name].offences(Module(COLLECTOR, text))


@pytest.mark.parametrize("text", ["import numpy", "from pudim_collector.kernel.clock import Clock"])
def test_an_impure_rule_is_noticed(text: str) -> None:
    rule = BY_NAME["pure"]
    assert rule.offences(Module("collector/pudim_collector/features/metrics/rules.py", text))
    assert not rule.offences(Module("collector/pudim_collector/features/metrics/service.py", text))
    assert not rule.offences(Module("collector/pudim_collector/features/metrics/rules.py", "import math"))


@pytest.mark.parametrize(
    "path", ["shared/pudim/utils.py", "agent/pudim_agent/net_helpers.py", "tests/misc/test_x.py"]
)
def test_an_empty_file_name_is_noticed(path: str) -> None:
    assert BY_NAME["names"].offences(Module(path, ""))


def test_features_have_the_agreed_files() -> None:
    foreign = set(rules.foreign_feature_files(list(texts())))
    new = sorted(foreign - rules.FEATURE_FILE_EXCEPTIONS.keys())
    assert not new, complaint(rules.FEATURE_FILES_INSTEAD, new)
    assert rules.FEATURE_FILE_EXCEPTIONS.keys() <= foreign, "take what is gone out of FEATURE_FILE_EXCEPTIONS"


@pytest.mark.parametrize(
    "path", ["metrics/views.py", "metrics/drawing/lines.py", "loose.py", "metrics/sql/x.py"]
)
def test_a_foreign_feature_file_is_noticed(path: str) -> None:
    assert rules.foreign_feature_files([rules.FEATURES + path])
    assert not rules.foreign_feature_files(
        [f"{rules.FEATURES}metrics/{one}" for one in ("rules.py", "sql/latest.sql")]
    )


def test_no_top_level_folder_is_a_package() -> None:
    offences = rules.shadowing_packages(list(texts()))
    assert not offences, complaint(
        "Remove it: the folder would shadow an installed package of that name.", offences
    )
    assert rules.shadowing_packages(["packaging/__init__.py", "tests/a/__init__.py"]) == [
        "packaging/__init__.py"
    ]


def test_no_registry_and_no_machine_is_named() -> None:
    offences = [one for path, text in texts().items() for one in rules.forbidden_texts(path, text)]
    assert not offences, complaint(rules.FORBIDDEN_TEXTS_INSTEAD, offences)
    assert all(rules.forbidden_texts("README.md", f"see {word}x") for word in rules.FORBIDDEN_TEXTS)


@pytest.mark.parametrize("path", ["constraints.txt", "web/package-lock.json"])
def test_locks_hold_no_addresses(path: str) -> None:
    offences = rules.addresses(path, texts()[path])
    assert not offences, complaint(rules.ADDRESSES_INSTEAD, offences)
    assert rules.addresses(path, '"resolved": "https://example.net/x.tgz"')
    assert rules.addresses(path, "pudim @ git+ssh://example.net/x")
