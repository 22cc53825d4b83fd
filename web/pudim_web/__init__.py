"""Pudim's pages: where the templates, their translations and the built assets lie."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from pudim.vocabulary.errors import PudimError

TEMPLATES = Path(__file__).parent / "templates"
LOCALES = Path(__file__).parent / "locales"
STATIC = Path(__file__).parent / "static"


class AssetsNotBuiltError(PudimError):
    """The scripts and styles have not been built."""

    code: ClassVar[str] = "assets_not_built"
    hint: ClassVar[str] = "Run `just setup`."


@cache
def assets(static: Path = STATIC) -> Mapping[str, str]:
    """Logical name ("app.js") to the address that serves it, whose name changes with its content."""
    try:
        manifest: dict[str, str] = json.loads((static / "manifest.json").read_bytes())
    except FileNotFoundError as missing:
        raise AssetsNotBuiltError from missing
    return MappingProxyType({name: f"/static/{hashed}" for name, hashed in manifest.items()})
