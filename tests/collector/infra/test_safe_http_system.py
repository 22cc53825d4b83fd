"""The one client over the system's own resolver, in a network of its own whose name server changes its mind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from pudim_collector.infra.safe_http import AddressRefused, Allowed, Outbound, Request
from pudim_collector.kernel.clock import SystemClock
from tests.collector.infra.safe_http_places import name_server
from tests.shared.checks.places import Web

_UNSHARE = ["unshare", "--net", "--mount", "--"]
_INSIDE = Path(__file__)
_NAMES = {
    "rebind.test": [["192.0.2.7"], ["127.0.0.1"]],
    "mixed.test": [["192.0.2.7", "127.0.0.1"]],
}


def _may() -> bool:
    return subprocess.run([*_UNSHARE, "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not _may(), reason="network namespaces need root and the kernel's leave")
def test_the_systems_resolver_is_asked_once(tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    argv = [*_UNSHARE, sys.executable, "-m", "tests.collector.infra.test_safe_http_system", str(tmp_path)]
    done = subprocess.run(
        argv, check=False, capture_output=True, text=True, timeout=60, cwd=_INSIDE.parents[3]
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "first 200",
        "second refused private",
        "mixed refused private",
        "own refused own address",
        "asked at 192.0.2.7",
    ]


async def _inside() -> None:
    web, asked = Web(), []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer.get_extra_info("sockname")[0])
        await web(reader, writer)
        writer.close()

    async with await asyncio.start_server(handle, "0.0.0.0", 8080), name_server(_NAMES, port=53):  # noqa: S104
        client = Outbound(SystemClock(), Allowed.parse("192.0.2.7"))
        for word, name in (("first", "rebind"), ("second", "rebind"), ("mixed", "mixed")):
            await _tell(client, word, f"{name}.test")
        public = Outbound(SystemClock(), Allowed())
        await _tell(public, "own", "93.184.216.34")
    print(f"asked at {' '.join(asked)}")


async def _tell(client: Outbound, word: str, host: str) -> None:
    try:
        answer = await client.send(Request(f"http://{host}:8080/"), purpose="test")
        print(f"{word} {answer.status}")
    except AddressRefused as error:
        print(f"{word} refused {error.reason}")


def _set_up(folder: Path) -> None:
    for words in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "address", "add", "192.0.2.7/32", "dev", "lo"],
        ["ip", "address", "add", "93.184.216.34/32", "dev", "lo"],
        ["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"],
    ):
        subprocess.run(words, check=True)


if __name__ == "__main__":
    _set_up(Path(sys.argv[1]))
    asyncio.run(_inside())
