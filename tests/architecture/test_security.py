"""What no module may do that a stranger's text goes through, and that cryptography is what the threat model says."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.architecture.codebase import Module, modules, texts
from tests.architecture.rules import PACKAGES, _is_false, imports, uses

OURS = [module for module in modules() if module.path.startswith((*PACKAGES, "packaging/install/"))]
SCRIPTS = {path: text for path, text in texts().items() if re.fullmatch(r"web/src/.*\.ts", path)}
EVALUATED = uses("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec")
RUNS_WHAT_IT_READS = imports(
    *("pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml", "code", "runpy"),
    *("xml", "lxml", "xmltodict", "plistlib", "defusedxml"),
)
DEBUGGING = uses("breakpoint", "pdb.set_trace")
SWITCHES = {"debug", "pdb_on_exception", "reload"}
NO_SECRET = {
    "agent/pudim_agent/backoff.py": "how long to wait",
    "agent/pudim_agent/checks.py": "when in its interval a check runs",
    "agent/pudim_agent/custom/statsd_figures.py": "which values stand for all",
    "collector/pudim_collector/infra/supervised.py": "how long to wait",
}
"""Where predictable numbers are used, and for what."""
SHORT = {
    "collector/pudim_collector/app/backup/operations.py": "a folder's name, made with `mkdir`",
    "collector/pudim_collector/infra/private_files.py": "a draft's name, opened with O_EXCL",
    "collector/pudim_collector/features/factors/service.py": "recovery codes, which are typed: 64 bits, HMACs in the database, slowed down",
    "collector/pudim_collector/infra/sealing.py": "nonces of AES-GCM, 96 bits, each under a key of its own",
}
"""Where fewer than 128 random bits are enough."""
LEAST_BYTES = 16
DRAWS = {"secrets.token_bytes", "secrets.token_hex", "secrets.token_urlsafe", "os.urandom"}
SINKS = re.compile(
    r"\.(?:innerHTML|outerHTML)\s*\+?=(?!=)|insertAdjacentHTML|document\.write|createContextualFragment|setHTMLUnsafe"
    r"|\beval\(|new Function|setTimeout\(\s*[\"'`]|postMessage|(?:window|self)\.(?:onmessage|addEventListener\(\s*[\"']message)"
    r"|__proto__|srcdoc|javascript:"
)
STORED = re.compile(r"sessionStorage|indexedDB|document\.cookie|caches\.open|localStorage\.setItem\((.*?),")


def broken(find: Callable[[Module], Iterator[int]]) -> list[str]:
    return [f"{module.path}:{line}" for module in OURS for line in find(module)]


def test_no_code_is_made_of_text() -> None:
    assert broken(EVALUATED) == []
    assert list(EVALUATED(Module("x.py", "eval(text)\n")))


def test_nothing_that_runs_what_it_reads_is_imported() -> None:
    assert broken(RUNS_WHAT_IT_READS) == []
    assert list(RUNS_WHAT_IT_READS(Module("x.py", "from xml.etree import ElementTree\n")))


def _debugged(module: Module) -> Iterator[int]:
    yield from DEBUGGING(module)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg in SWITCHES and not _is_false(node.value):
            yield node.value.lineno


def test_nothing_is_built_for_debugging() -> None:
    assert broken(_debugged) == []
    assert list(_debugged(Module("x.py", "Litestar(debug=True)\n")))
    assert not list(_debugged(Module("x.py", "Litestar(debug=False)\n")))


def test_secrets_come_from_the_systems_random_numbers() -> None:
    for package in ("random", "uuid.uuid1", "numpy.random"):
        found = {one.partition(":")[0] for one in broken(imports(package))}
        assert found == (set(NO_SECRET) if package == "random" else set()), package


def _drawn(module: Module) -> Iterator[tuple[int, ast.expr | None]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and module.named(node.func) in DRAWS:
            yield node.lineno, node.args[0] if node.args else None


def _too_short(module: Module) -> Iterator[int]:
    constants = {
        target.id: node.value.value
        for node in module.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for line, size in _drawn(module):
        bytes_drawn = size.value if isinstance(size, ast.Constant) else None
        if isinstance(size, ast.Name):
            bytes_drawn = constants.get(size.id, LEAST_BYTES)
        if isinstance(bytes_drawn, int) and bytes_drawn < LEAST_BYTES:
            yield line


def test_secrets_are_long_enough() -> None:
    assert len([one for module in OURS for one in _drawn(module)]) > 20
    assert {one.partition(":")[0] for one in broken(_too_short)} == set(SHORT)
    assert list(_too_short(Module("x.py", "import secrets\n_SIZE = 8\nsecrets.token_bytes(_SIZE)\n"))) == [3]


def _used(module: Module) -> Iterator[str]:
    """Names of what is imported of cryptography, and of the hashes of the standard library."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cryptography.hazmat."):
            yield from (one.name for one in node.names)
        if isinstance(node, ast.ImportFrom) and node.module in {"hashlib", "argon2"}:
            yield from (one.name for one in node.names)
        if isinstance(node, ast.Attribute) and module.named(node.value) == "hashlib":
            yield node.attr
        if isinstance(node, ast.Attribute) and module.named(node) in {"hmac.new", "hmac.digest"}:
            yield "hmac"


NOT_AN_ALGORITHM = {
    *(
        "serialization",
        "Encoding",
        "PublicFormat",
        "PrivateFormat",
        "NoEncryption",
        "InvalidUnwrap",
        "hashes",
    ),
    *("x25519", "ed25519"),
}


def test_cryptography_is_what_is_written_down() -> None:
    section = texts()["docs/threat-model.md"].partition("\n## Cryptography in use\n")[2].partition("\n## ")[0]
    told = {
        name
        for row in re.findall(r"^\| (`[^|]*`) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    used = {name for module in OURS for name in _used(module)} - NOT_AN_ALGORITHM
    assert used == told, "the table in docs/threat-model.md says what each is for"
    assert not used & {"md5", "sha1", "ECB", "TripleDES", "PKCS1v15", "ARC4", "CBC", "MD5", "SHA1"}
    assert set(_used(Module("x.py", "import hashlib\nhashlib.md5(b'')\n"))) == {"md5"}


def test_scripts_put_text_into_pages_as_text() -> None:
    assert len(SCRIPTS) > 20
    found = [f"{path}: {hit[0]}" for path, text in SCRIPTS.items() for hit in SINKS.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        *("one.innerHTML = text", "one.innerHTML += text", "one.insertAdjacentHTML('x', text)", "eval(text)"),
        *("window.addEventListener('message', take)", "setTimeout('go()')", "parent.postMessage(x, '*')"),
    ],
)
def test_such_a_line_is_noticed(line: str) -> None:
    assert SINKS.search(line)
    assert not SINKS.search("if (a.innerHTML === b.innerHTML) source.addEventListener('message', take)")


def test_scripts_keep_nothing_but_how_pages_look() -> None:
    kept = {(path, hit[0]) for path, text in SCRIPTS.items() for hit in STORED.finditer(text)}
    assert kept == {("web/src/elements/theme.ts", "localStorage.setItem(KEY,")}
