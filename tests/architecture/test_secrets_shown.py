"""Secrets stay out of what is printed by accident: a dataclass that holds one leaves it out of its repr()."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.architecture.codebase import Module, modules

PATHS = ("agent/", "collector/", "shared/")
INSTEAD = "Write `= field(repr=False)`: a repr() ends in logs, tracebacks and error reports."
SECRET = re.compile(
    r"(^|_)(secret|token|password|passphrase|seed|private_key|(database|replica|redis|smtp|setup)_url)$"
)
TEXT = re.compile(r"(str|bytes)( \| None)?")


def shown(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and any(
            "dataclass" in ast.unparse(one) for one in node.decorator_list
        ):
            yield from (f"{module.path}: {node.name}.{name}" for name in _shown(node))


def _shown(node: ast.ClassDef) -> Iterator[str]:
    for one in node.body:
        match one:
            case ast.AnnAssign(target=ast.Name(name)) if SECRET.search(name) and TEXT.fullmatch(
                ast.unparse(one.annotation)
            ):
                if one.value is None or "repr=False" not in ast.unparse(one.value):
                    yield name


def test_no_dataclass_shows_a_secret() -> None:
    offences = [one for module in modules() if module.path.startswith(PATHS) for one in shown(module)]
    assert not offences, "\n".join([INSTEAD, *offences])


@pytest.mark.parametrize(
    "field",
    [
        "secret: str",
        "api_token: str | None = None",
        "smtp_password: bytes",
        "database_url: str = field(init=False)",
    ],
)
def test_one_that_does_is_noticed(field: str) -> None:
    assert list(shown(Module("collector/x.py", f"@dataclass(frozen=True)\nclass One:\n    {field}\n")))


@pytest.mark.parametrize(
    "field", ["secret: str = field(repr=False)", "secret_set: bool", "token: TokenRecord", "name: str"]
)
def test_what_does_not_is_let_be(field: str) -> None:
    assert not list(shown(Module("collector/x.py", f"@dataclass\nclass One:\n    {field}\n")))
