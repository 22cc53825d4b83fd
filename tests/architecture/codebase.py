"""What the architecture tests look at: the repository's own files, parsed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NOT_OURS = {"node_modules", "__pycache__", "dist", "static", "screenshots", "uv.lock", "htmlcov"}
_HIDDEN_OURS = {".ci", ".gitignore", ".npmrc"}


@dataclass(frozen=True)
class Module:
    """A Python file, or a snippet under the path it pretends to have."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def imported(self) -> dict[str, str]:
        """What each imported name stands for: `dt` -> `datetime`, `now` -> `time.time`."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for one in node.names:
                    found[one.asname or one.name.split(".")[0]] = (
                        one.name if one.asname else one.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and node.module:
                for one in node.names:
                    found[one.asname or one.name] = f"{node.module}.{one.name}"
        return found

    def named(self, node: ast.AST) -> str:
        """The full name of `a.b.c` with its import resolved; `()` stands for a call in between."""
        match node:
            case ast.Name(name):
                return self.imported.get(name, name)
            case ast.Attribute(inner, name):
                return f"{self.named(inner)}.{name}"
            case ast.Call(function):
                return f"{self.named(function)}()"
        return ""


def _ours(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_OURS or (path.name.startswith(".") and path.name not in _HIDDEN_OURS):
            continue
        if path.is_dir() and not path.name.endswith(".egg-info"):
            yield from _ours(path)
        elif path.is_file():
            yield path


@cache
def texts() -> dict[str, str]:
    """Every text file of the repository by its path."""
    found = {}
    for path in _ours(ROOT):
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
    return found


@cache
def modules() -> tuple[Module, ...]:
    return tuple(Module(path, text) for path, text in texts().items() if path.endswith(".py"))
