"""Conventions that a type checker cannot see, each with where it holds, what to do instead, and its exceptions."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.architecture.codebase import Module

PACKAGES = ("agent/", "collector/", "shared/", "web/pudim_web/")
EVERYWHERE = ("",)


@dataclass(frozen=True)
class Rule:
    """`find` yields the lines that break it. `homes` are the files whose job the forbidden thing is."""

    name: str
    instead: str
    find: Callable[[Module], Iterator[int]]
    within: tuple[str, ...] = PACKAGES
    homes: tuple[str, ...] = ()

    def offences(self, module: Module) -> list[str]:
        if not module.path.startswith(self.within) or module.path in self.homes:
            return []
        return [f"{module.path}:{line}" for line in self.find(module)]


EXCEPTIONS = {
    (
        "outbound",
        "collector/pudim_collector/infra/syslog.py",
    ): "syslog is no HTTP, and its receiver is mostly inside; only the installation's operators name one",
    (
        "environment",
        "collector/pudim_collector/app/up.py",
    ): "asks whether there is a screen; nobody sets that for Pudim",
    (
        "clock",
        "collector/pudim_collector/kernel/ids.py",
    ): "a UUIDv7 holds the time it was made; nothing decides by it",
    (
        "environment",
        "collector/pudim_collector/infra/database/__init__.py",
    ): "Piccolo finds its settings only there",
    (
        "tasks",
        "collector/pudim_collector/infra/database/pool.py",
    ): "shields a COMMIT from cancellation and awaits it",
    ("tasks", "agent/pudim_agent/loop.py"): "the agent's own supervisor; Python 3.10 has no TaskGroup",
    (
        "tasks",
        "agent/pudim_agent/checks.py",
    ): "its loop ends and awaits each run; Python 3.10 has no TaskGroup",
    (
        "tasks",
        "agent/pudim_agent/session.py",
    ): "both halves are awaited together; Python 3.10 has no TaskGroup",
}
"""The escape: (rule, file) -> why it may. An entry that is no longer needed fails."""


def uses(*names: str) -> Callable[[Module], Iterator[int]]:
    """Lines that mention one of these full names, called or not."""

    def find(module: Module) -> Iterator[int]:
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.Name, ast.Attribute)) and module.named(node) in names:
                yield node.lineno

    return find


def imports(*packages: str) -> Callable[[Module], Iterator[int]]:
    """Lines that import one of these modules or something in them."""

    def find(module: Module) -> Iterator[int]:
        for node in ast.walk(module.tree):
            names = []
            if isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{one.name}" for one in node.names]
            if any(f"{name}.".startswith(f"{package}.") for name in names for package in packages):
                yield node.lineno

    return find


def _bare_tasks(module: Module) -> Iterator[int]:
    groups = {
        item.optional_vars.id
        for node in ast.walk(module.tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
        and module.named(item.context_expr) == "asyncio.TaskGroup()"
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            owner, _, called = module.named(node.func).rpartition(".")
            if called in {"create_task", "ensure_future"} and owner not in groups:
                yield node.lineno


_CLIENTS = imports(
    *("httpx", "aiohttp", "requests", "urllib3", "urllib.request", "http.client", "httpcore"),
    *("ftplib", "xmlrpc.client", "websockets.client", "websockets.asyncio.client", "websockets.sync.client"),
    "pudim.checks.http_client.ask",
)
_SOCKETS = uses("asyncio.open_connection", "socket.create_connection")


def _ways_out(module: Module) -> Iterator[int]:
    yield from _CLIENTS(module)
    yield from _SOCKETS(module)


def _shells(module: Module) -> Iterator[int]:
    yield from uses("os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput")(
        module
    )
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg == "shell" and not _is_false(node.value):
            yield node.value.lineno


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _no_sentence(module: Module) -> Iterator[int]:
    said = (ast.get_docstring(module.tree) or "").split("\n\n")[0].strip()
    if not said.endswith((".", ":", "?")) or len(said.split()) < 3:
        yield 1


_BANNED_FILES = re.compile(r"(^|_)(utils?|helpers?|misc|managers?|data|info|common)$")
_BANNED_CLASSES = re.compile(r"(Utils?|Helpers?|Misc|Managers?)$")


def _empty_names(module: Module) -> Iterator[int]:
    parts = PurePosixPath(module.path).with_suffix("").parts
    if any(_BANNED_FILES.search(part) for part in parts):
        yield 1
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and _BANNED_CLASSES.search(node.name):
            yield node.lineno


_FEATURES = "pudim_collector.features."
_OPEN_TO_OTHERS = ("service", "events")


def _other_features_insides(module: Module) -> Iterator[int]:
    own = module.path.removeprefix(FEATURES).partition("/")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_FEATURES):
            feature, _, inside = (node.module or "").removeprefix(_FEATURES).partition(".")
            if feature != own and inside not in _OPEN_TO_OTHERS:
                yield node.lineno


def _impure(module: Module) -> Iterator[int]:
    own = f"{_FEATURES}{module.path.removeprefix(FEATURES).partition('/')[0]}."
    if PurePosixPath(module.path).name != "rules.py":
        return
    for node in ast.walk(module.tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top != "pudim" and not name.startswith(own):
                yield node.lineno


FEATURES = "collector/pudim_collector/features/"
RULES = [
    Rule(
        "clock",
        "Take `now` as an argument, or a Clock (pudim_collector.kernel.clock, pudim_agent.clock): a rule that reads the "
        "wall clock can be neither tested nor replayed over history.",
        uses(
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
            "time.time",
            "time.time_ns",
        ),
        homes=("agent/pudim_agent/clock.py", "collector/pudim_collector/kernel/clock.py"),
    ),
    Rule(
        "environment",
        "Add a field to Settings in pudim_collector/app/settings.py and pass it down: one place says what can be set.",
        uses("os.environ", "os.environb", "os.getenv", "os.putenv"),
        homes=("collector/pudim_collector/app/settings.py",),
    ),
    Rule(
        "tasks",
        "Start it with pudim_collector.infra.supervised, or in an asyncio.TaskGroup: a bare task that dies is seen by nobody.",
        _bare_tasks,
        homes=("collector/pudim_collector/infra/supervised.py",),
    ),
    Rule(
        "shell",
        "Pass an argv list without a shell: host names, log lines and labels are hostile in a shell string.",
        _shells,
        within=EVERYWHERE,
    ),
    Rule(
        "outbound",
        "Send it through pudim_collector.infra.safe_http, which checks the address at connect time: a user's URL may point inside.",
        _ways_out,
        within=("collector/",),
        homes=("collector/pudim_collector/infra/safe_http/transport.py",),
    ),
    Rule(
        "mail",
        "Write it with pudim_collector.infra.mail.mailer, which keeps it until the mail server has taken it, and escapes what it shows.",
        imports("aiosmtplib", "smtplib"),
        within=("collector/",),
        homes=("collector/pudim_collector/infra/mail/sending.py",),
    ),
    Rule(
        "features",
        "Ask the other feature's service, or listen to its events: its tables, schemas and rules are its own to change.",
        _other_features_insides,
        within=(FEATURES,),
    ),
    Rule(
        "pure",
        "Give rules.py values and `now`: it imports the standard library and pudim only, so that it can be replayed.",
        _impure,
        within=(FEATURES,),
    ),
    Rule(
        "sentence",
        "Begin the module with a docstring whose first paragraph is one sentence that says why the module exists.",
        _no_sentence,
        within=EVERYWHERE,
    ),
    Rule(
        "names",
        "Name it by what it does (docs/glossary.md has the words); utils, helpers, misc, manager, data, info, common say nothing.",
        _empty_names,
        within=EVERYWHERE,
    ),
]


_FEATURE_FILE = re.compile(
    r"(__init__|rules|service|queries|tables|piccolo_app|schemas|routes|pages|jobs|events|personal)\.py"
    r"|piccolo_migrations/\w+\.(py|sql)"
    r"|sql/\w+\.sql"
)
FEATURE_FILES_INSTEAD = (
    "A feature has the files of docs/architecture.md only: rules, service, queries, tables, piccolo_app, piccolo_migrations/, "
    "schemas, routes, pages, jobs, events, personal, sql/. Put it in the one it belongs to, or make a feature of its own."
)


FEATURE_FILE_EXCEPTIONS = {
    "collector/pudim_collector/features/accounts/common_passwords.txt": "a word list that rules.py reads",
    "collector/pudim_collector/features/accounts/common_passwords.NOTICE": "where that list is from, and its licence",
}


def foreign_feature_files(paths: list[str]) -> list[str]:
    inside = [path for path in paths if path.startswith(FEATURES) and path != f"{FEATURES}__init__.py"]
    return [path for path in inside if not _FEATURE_FILE.fullmatch(path[len(FEATURES) :].partition("/")[2])]


def shadowing_packages(paths: list[str]) -> list[str]:
    """A top-level folder with `__init__.py` shadows the distribution of that name (`packaging/` does)."""
    return [path for path in paths if path.count("/") == 1 and path.endswith("/__init__.py")]


# Written backwards, so that this file does not hold them.
FORBIDDEN_TEXTS = tuple(
    word[::-1]
    for word in ("gro.ipyp", "detsohnohtyp.selif", "sjmpn.yrtsiger", "naibed.bed", "/krow/", "/toor/")
)
FORBIDDEN_TEXTS_INSTEAD = (
    "No address of a package registry and no path of one machine in the repository: whoever clones it may sit behind "
    "a mirror. Name packages, not hosts; write paths relative to the repository."
)


def forbidden_texts(path: str, text: str) -> list[str]:
    return [
        f"{path}:{number}: {word}"
        for number, line in enumerate(text.splitlines(), 1)
        for word in FORBIDDEN_TEXTS
        if word in line
    ]


_ADDRESS = re.compile(r'"resolved"|git\+|file:|^[^"]*https?://')
ADDRESSES_INSTEAD = (
    "Write the lock again without addresses: `just lock`, or npm with `omit-lockfile-registry-resolved`."
)


def addresses(path: str, text: str) -> list[str]:
    return [f"{path}:{number}" for number, line in enumerate(text.splitlines(), 1) if _ADDRESS.search(line)]
