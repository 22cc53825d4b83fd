"""Releases made for a test: another version, with a file of the agent's wheel changed, signed by the collector's key."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pudim_collector.app.keys import release_key
from pudim_collector.features.installing.service import Releases

Made = tuple[dict[str, bytes], dict[str, list[str]]]
CRASHES = {"pudim_agent/__main__.py": "raise RuntimeError('a release that cannot start')\n"}
HANGS = {"pudim_agent/__main__.py": "import time\nwhile True:\n    time.sleep(1)\n"}
NOT_CONNECTING = {
    "pudim_agent/stream.py": "\n\ndef websocket_url(url: str) -> str:\n    return 'ws://127.0.0.1:9/'\n",
}


@dataclass
class Shop:
    """Puts releases on offer at a collector whose data folder is `data_dir`."""

    builder: ModuleType
    made: Made
    data_dir: Path
    folder: Path

    @property
    def releases(self) -> Releases:
        return Releases(self.data_dir, release_key(self.data_dir))

    def offer(self, version: str, changes: Mapping[str, str] | None = None) -> list[str]:
        """What `launch stage` is told of it."""
        files, targets = self.made
        changed = dict(files)
        for name in files:
            if name.startswith("pudim_agent-"):
                changed[name] = rewritten(files[name], changes or {})
            elif name.startswith("pudim-"):
                changed[name] = rewritten(
                    files[name], {"pudim/__init__.py": f'\n__version__ = "{version}"\n'}
                )
        self.releases.add(self.builder.write_bundle(self.folder, version, changed, targets))
        digest, signature = self.releases.names()
        return [f"--version={version}", f"--digest={digest}", f"--signature={signature}"]


def rewritten(wheel: bytes, changes: Mapping[str, str]) -> bytes:
    """The wheel with text put at the end of files, or in place of a program's."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(wheel)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for one in source.infolist():
            content = source.read(one)
            if one.filename in changes:
                more = changes[one.filename].encode()
                content = more if one.filename.endswith("__main__.py") else content + more
            target.writestr(one, content)
    return out.getvalue()
