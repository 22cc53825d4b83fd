"""Collect every text that people read into the catalogues of pages' languages: `just messages [LANGUAGE ...]`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
LOCALES = ROOT / "web" / "pudim_web" / "locales"
TEMPLATES = ROOT / "web" / "pudim_web" / "templates"
SCRIPTS = ROOT / "web" / "src"
_ELSEWHERE = frozenset(
    {
        "api",
        "database",
        "mail",
        "connections.py",
        "request_limits.py",
        "safe_http",
        "key_ring.py",
        "sealing.py",
        "proxies.py",
        "language.py",
    }
)
"""Parts of infra whose errors only programs meet, or operators on a command line."""
CODE = (
    ROOT / "collector" / "pudim_collector" / "features",
    ROOT / "collector" / "pudim_collector" / "infra",
    ROOT / "shared" / "pudim" / "checks",
)
_IN_TEMPLATES: dict[str, Any] = {"_": None, "ngettext": (1, 2)}
_IN_SCRIPTS: dict[str, Any] = {"t": None, "many": (1, 2)}

# Where Python says something to people: arguments of calls by place or name, and constants by name.
_ARGUMENTS: dict[str, tuple[int | str, ...]] = {
    "render": ("title",),
    "post": (2,),
    "write_to": (2,),
    "_problem": (2,),
    "Permission": (0,),
    "audited": (1,),
    "NavigationEntry": (0, "label"),
    "Section": (1,),
    "Site": (2,),
    "Kept": (1,),
    "setting": (0, 1),
    "Group": (0,),
    "Chart": (0,),
    "_view": (0,),
}
_LISTS = {"_view": "names"}
"""Arguments that are several words with commas between them."""
_MAPPINGS = {"Feature": "permissions"}
_CONSTANTS = frozenset({"AREAS", "NAMES", "_EMBEDDED"})
_CLASS_TEXTS = frozenset({"title", "help", "hint"})
_SAYS = re.compile(r"say_\w+")
_OURS = 500
_SENTENCE = re.compile(r"[A-Z%].*[.!?]", re.DOTALL)


@dataclass(frozen=True)
class Found:
    """A message, with its plural where it has one, and the file that says it."""

    path: str
    message: str | tuple[str, str]


def found(root: Path = ROOT) -> Iterator[Found]:
    """Every message of the sources as they are now."""
    yield from _extracted(root, TEMPLATES, "*.html", "jinja2", _IN_TEMPLATES)
    yield from _extracted(root, TEMPLATES, "*.txt", "jinja2", _IN_TEMPLATES)
    yield from _extracted(root, SCRIPTS, "*.ts", "javascript", _IN_SCRIPTS)
    for folder in CODE:
        for path in sorted(folder.rglob("*.py")):
            if _ELSEWHERE.intersection(path.relative_to(folder).parts[:1]):
                continue
            for message in said_in(ast.parse(path.read_text("utf-8"))):
                yield Found(path.relative_to(root).as_posix(), message)


def _extracted(
    root: Path, folder: Path, names: str, method: str, keywords: dict[str, Any]
) -> Iterator[Found]:
    options = (
        {"silent": "false", "trim_blocks": "true"} if method == "jinja2" else {"template_string": "False"}
    )
    for path in sorted(folder.rglob(names)):
        with path.open("rb") as source:
            for _, message, _, _ in extract(method, source, keywords=keywords, options=options):
                yield Found(path.relative_to(root).as_posix(), message)


def said_in(tree: ast.Module) -> Iterator[str]:
    """What a module says to people: titles, labels, and the sentences of errors that have an HTTP status."""
    refusals = set(_refusals(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _of_class(node, refusals)
        elif isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            yield from (text for text in _texts(node.exc.args[0]) if _SENTENCE.fullmatch(text))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and _names(node) & _CONSTANTS:
            yield from (one for one in _texts(node.value) if one[:1].isupper())
        elif isinstance(node, ast.FunctionDef) and _SAYS.fullmatch(node.name):
            for part in ast.walk(node):
                if isinstance(part, ast.Return):
                    yield from (text for text in _texts(part.value) if re.search(r"\)s \w{2}", text))


def _refusals(tree: ast.Module) -> Iterator[str]:
    """The classes of such errors, and what stands on them in the same module."""
    known: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (
            _is_refusal(node) or {ast.unparse(base).rpartition(".")[2] for base in node.bases} & known
        ):
            known.add(node.name)
            yield node.name


def _is_refusal(node: ast.ClassDef) -> bool:
    """An error of whoever asks, which he may meet on a page; of failures of ours pages tell nothing."""
    return any(_status_of(part) < _OURS for part in node.body)


def _status_of(part: ast.stmt) -> int:
    """What an assignment to `status` says; above every status where it is none."""
    value = part.value if isinstance(part, ast.Assign | ast.AnnAssign) and "status" in _names(part) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, int) else 600


def _of_class(node: ast.ClassDef, refusals: set[str]) -> Iterator[str]:
    if node.name in refusals and (sentence := ast.get_docstring(node)):
        yield sentence.splitlines()[0]
    texts = _CLASS_TEXTS if node.name in refusals else _CLASS_TEXTS - {"hint"}
    for part in node.body:
        if isinstance(part, ast.Assign | ast.AnnAssign) and _names(part) & texts:
            yield from _texts(part.value)
    if node.name in refusals:
        for call in (part for part in ast.walk(node) if isinstance(part, ast.Call)):
            if ast.unparse(call.func).endswith("__init__"):
                yield from (text for one in call.args[:1] for text in _texts(one))


def _of_call(node: ast.Call) -> Iterator[str]:
    name = ast.unparse(node.func).rpartition(".")[2]
    for place in _ARGUMENTS.get(name, ()):
        yield from _texts(_argument(node, place))
    if name in _LISTS:
        yield from (one for text in _texts(_argument(node, _LISTS[name])) for one in text.split(","))
    mapping = _argument(node, _MAPPINGS[name]) if name in _MAPPINGS else None
    if isinstance(mapping, ast.Dict):
        yield from (text for value in mapping.values for text in _texts(value))


def _argument(node: ast.Call, place: int | str) -> ast.expr | None:
    if isinstance(place, int):
        return node.args[place] if place < len(node.args) else None
    return next((one.value for one in node.keywords if one.arg == place), None)


def _names(node: ast.AST) -> set[str]:
    targets: Iterable[ast.expr] = ()
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = (node.target,)
    return {one.id for one in targets if isinstance(one, ast.Name)}


def _texts(node: ast.expr | None) -> Iterator[str]:
    """Constants as they are, and what is formatted with its values by name; both sides of a condition."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if re.search(r"[A-Za-z]{2}", node.value):
            yield node.value
    elif isinstance(node, ast.JoinedStr):
        if re.search(r"[A-Za-z]{2}", re.sub(r"%\(\w+\)s", "", _with_names(node))):
            yield _with_names(node)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Tuple | ast.List):
        for one in node.elts:
            yield from _texts(one)
    elif isinstance(node, ast.Dict):
        for one in node.values:
            yield from _texts(one)


def _with_names(node: ast.JoinedStr) -> str:
    """An f-string as a message: {limits[finer].days} is %(days)s."""
    said, names = [], {}
    for part in node.values:
        if isinstance(part, ast.Constant):
            said.append(str(part.value).replace("%", "%%"))
        elif isinstance(part, ast.FormattedValue):
            words = re.findall(r"[A-Za-z]\w*", re.sub(r"\(.*", "", ast.unparse(part.value))) or ["value"]
            name, shown = words[-1].lower(), ast.unparse(part)
            while names.setdefault(name, shown) != shown:
                name += "_"
            said.append(f"%({name})s")
    return "".join(said)


def template(root: Path = ROOT) -> Catalog:
    """All messages without translations; places are files, since lines move with every change."""
    made = Catalog(charset="utf-8", fuzzy=False)
    for one in found(root):
        message = made.get(one.message[0] if isinstance(one.message, tuple) else one.message)
        if message is not None and (one.path, None) in message.locations:
            continue
        made.add(one.message, locations=[(one.path, None)])
    return made


def update(code: str, folder: Path = LOCALES) -> int:
    """Bring a language's catalogue up to date, begin it if it is new; says how many messages lack a translation."""
    path = folder / code / "pudim.po"
    known = Catalog(locale=code)
    if path.exists():
        with path.open("rb") as source:
            known = read_po(source, locale=code)
    fresh = Catalog(locale=code, charset="utf-8", fuzzy=False, header_comment=f"# Pudim's pages in {code}.")
    for message in template():
        if not message.id:
            continue
        before = known.get(message.id[0] if isinstance(message.id, tuple) else message.id)
        same = before is not None and isinstance(before.id, tuple) == isinstance(message.id, tuple)
        fresh.add(message.id, before.string if before and same else None, locations=message.locations)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        write_po(target, fresh, sort_output=True, omit_header=False, include_lineno=False, width=0)
    _without_dates(path)
    return sum(not _is_translated(message.string) for message in fresh if message.id)


def _without_dates(path: Path) -> None:
    """So that two people's catalogues differ only where they say something else."""
    text = re.sub(
        r'^"(?:POT-Creation-Date|PO-Revision-Date|Generated-By|Project-Id-Version|Report-Msgid-Bugs-To|Last-Translator): .*\n',
        "",
        path.read_text("utf-8"),
        flags=re.MULTILINE,
    )
    path.write_text(text, "utf-8")


def _is_translated(string: object) -> bool:
    return all(string) if isinstance(string, tuple | list) else bool(string)


def main(codes: Iterable[str]) -> None:
    for code in codes or sorted(path.name for path in LOCALES.iterdir() if path.is_dir()):
        print(f"{code}: {update(code.replace('-', '_'))} messages lack a translation")


if __name__ == "__main__":
    main(sys.argv[1:])
