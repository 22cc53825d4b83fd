"""How long functions and modules are, as a report: a budget is a conversation, not a gate."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from statistics import median

from tests.architecture.codebase import Module
from tests.architecture.rules import PACKAGES

MODULE_LINES, FUNCTION_LINES, FUNCTION_MEDIAN = 400, 60, 12


def functions(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
            yield f"{module.path}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def report(modules: Iterable[Module]) -> list[str]:
    modules = list(modules)
    code = [module for module in modules if module.path.startswith(PACKAGES)]
    tests = [module for module in modules if module.path.startswith("tests/")]
    lines = {module.path: len(module.text.splitlines()) for module in (*code, *tests)}
    lengths = {name: length for module in code for name, length in functions(module)}
    written, tested = (sum(lines[module.path] for module in group) for group in (code, tests))
    return [
        f"functions: {len(lengths)}, median {median(lengths.values() or [0]):g} lines (budget {FUNCTION_MEDIAN})",
        f"code: {written} lines in {len(code)} modules; tests: {tested} lines, {tested / max(written, 1):.1f} times the code",
        *(f"long function: {name}, {size} lines" for name, size in lengths.items() if size > FUNCTION_LINES),
        *(f"long module: {path}, {size} lines" for path, size in lines.items() if size > MODULE_LINES),
    ]
